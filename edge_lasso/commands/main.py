"""The `edge-lasso` command: options in, one call into the workbench, a table or JSON out."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import warnings
from typing import Annotated, Any

import typer

from edge_lasso.commands import (
    bench,
    boards,
    bundle,
    cascade,
    check,
    classify,
    demo,
    deploy,
    doctor,
    drift,
    export,
    predict,
    prune,
    quantize,
    report,
    search,
    show,
    train,
    verify,
    watch,
)
from edge_lasso.commands.panels import Command
from edge_lasso.errors import BoardError, DataError, ExportError, ModelFormatError, SessionError, VerificationError
from edge_lasso.reporting import terminal
from edge_lasso_runtime.printable import NO_OUTPUT, open_streams, printable

app = typer.Typer(
    name="edge-lasso",
    help="Sparse linear models for small boards: train, prune, quantize with a proven bound, export, verify, measure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def print_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from edge_lasso import __version__

        terminal.say(f"edge-lasso {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Sparse linear models for small boards: train, prune, quantize with a proven bound, export, verify, measure."""


BAD_INPUT = (BoardError, DataError, ExportError, ModelFormatError, SessionError, OSError, MemoryError)
CLICK_ERROR: Any = typer.BadParameter.__mro__[2]  # older Typers import click, newer ones carry it

# In the order of `edge-lasso --help`: a new command is a module in `edge_lasso.commands` and a line here.
for command in (
    demo.demo,
    check.check,
    train.train,
    classify.classify,
    watch.watch,
    show.show,
    predict.predict,
    prune.prune,
    quantize.quantize,
    cascade.cascade,
    search.search,
    export.export,
    verify.verify,
    bench.bench,
    boards.boards,
    bundle.bundle,
    deploy.deploy,
    doctor.doctor,
    drift.drift,
    report.report,
):
    app.command(cls=Command)(command)


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; default: those of the process.

    Returns
    -------
    int
        0 done; 1 a check or budget failed; 2 bad usage or bad input; 130 interrupted.
    """
    if not open_streams():
        return _fail(NO_OUTPUT, 2)
    warnings.simplefilter("default")
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(
            signal.SIGTERM, signal.default_int_handler
        )  # ended by others as by Ctrl-C: nothing is left behind
    try:
        code = app(args=argv, prog_name="edge-lasso", standalone_mode=False)
        sys.stdout.flush()
        if code == 130:  # newer Typers turn an interruption into a code
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except VerificationError as error:
        return _fail(_one_line(error), 1)
    except BrokenPipeError:
        return _reader_left()
    except SystemExit as error:  # newer Typers turn a closed pipe into one
        if isinstance(error.__context__, BrokenPipeError):
            return _reader_left()
        raise
    except BAD_INPUT as error:
        return _fail(_one_line(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except RuntimeError as error:
        if not isinstance(error.__cause__, KeyboardInterrupt):  # Python 3.11 wraps what ends the making of a class
            raise
        return _interrupted()
    except CLICK_ERROR as error:
        message = str(error.format_message())
        if type(error).__name__ == "NoArgsIsHelpError":
            terminal.say(message)
            return 2
        command = getattr(getattr(error, "ctx", None), "command_path", None) or "edge-lasso"
        return _fail(f"{message.rstrip('.')}; see '{command} --help'", 2)


def _reader_left() -> int:
    """Whoever reads standard output, such as ``head``, has seen enough: no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _interrupted() -> int:
    return _fail("interrupted; nothing half-written was left", 130)


def _fail(message: str, code: int) -> int:
    print(f"edge-lasso: error: {printable(message)}", file=sys.stderr)
    return code


def _one_line(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); use fewer columns, or --degree 1" if str(error) else "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        advice = {
            errno.ENOSPC: "free some space or choose another folder with --out",
            errno.EACCES: "choose another place with --out, or change its permissions",
            errno.EROFS: "choose another place with --out",
            errno.ENOENT: "check the path",
        }.get(error.errno or 0, "check the path")
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; {advice}"
    return " ".join(str(error).split())
