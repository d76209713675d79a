"""``python -m edge_lasso`` is the `edge-lasso` command."""

import signal
import sys


def run() -> None:
    """The process that is `edge-lasso`: ends with the command's exit code, interrupted at whatever moment."""
    try:
        from edge_lasso.commands.main import main

        code = main()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and written; taking down is not to be interrupted
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except KeyboardInterrupt:  # while the command was being read
        print("edge-lasso: error: interrupted; nothing was begun", file=sys.stderr)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    run()
