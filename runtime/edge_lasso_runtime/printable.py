"""Text from files and networks, safe on a terminal and in a log: what would steer either is written out."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = "edge_lasso_runtime"


def printable(text: str) -> str:
    r"""Text in which characters that do not print (escape sequences, directions) are ``\x1b`` and such.

    Ends of lines and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def say(text: str, file: Any = None) -> None:
    """Print a line that holds text of others."""
    print(printable(text), file=file)


def report(text: str) -> None:
    """One line about what is wrong, on standard error."""
    print(f"{PROGRAM}: warning: {printable(text)}", file=sys.stderr, flush=True)
