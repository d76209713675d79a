"""Text from files and networks, safe on a terminal and in a log: what would steer either is written out."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = "edge_lasso_runtime"
NO_OUTPUT = "standard output is closed; give it a place, such as >/dev/null"


def printable(text: str) -> str:
    r"""Text in which characters that do not print (escape sequences, directions) are ``\x1b`` and such.

    Ends of lines and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def open_streams() -> bool:
    """Whether standard output is open; after this no file that is opened takes the place of a standard stream."""
    import os

    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free: this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    return sys.stdout is not None


def say(text: str, file: Any = None) -> None:
    """Print a line that holds text of others."""
    print(printable(text), file=file)


def report(text: str) -> None:
    """One line about what is wrong, on standard error."""
    print(f"{PROGRAM}: warning: {printable(text)}", file=sys.stderr, flush=True)
