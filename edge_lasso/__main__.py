"""``python -m edge_lasso`` is the `edge-lasso` command."""

import os
import signal
import sys


def run() -> None:
    """The process that is `edge-lasso`: ends with the command's exit code, interrupted at whatever moment."""
    usual = signal.signal(signal.SIGINT, _not_begun)
    from edge_lasso.commands.main import main

    signal.signal(signal.SIGINT, usual)
    code = main()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # all is done and written; taking down is not to be interrupted
    exec("")  # CPython ends by the signal after an interruption within an exec, unless a later one went well
    sys.exit(code)


def _not_begun(number: int, frame: object) -> None:
    """While the command is read, which an exception would leave in pieces."""
    os.write(2, b"edge-lasso: error: interrupted; nothing was begun\n")
    os._exit(130)


if __name__ == "__main__":
    run()
