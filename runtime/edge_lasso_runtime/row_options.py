"""Options of commands that take rows: what is learned from them, and what is made of their results."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_learn(parser: ArgumentParser) -> None:
    """``--learn FILE``."""
    parser.add_argument("--learn", metavar="FILE", help="statistics of complete rows whose truth comes along, by the "
                        "output's name: what edge-lasso train --from merges")  # fmt: skip


def add_cascade(parser: ArgumentParser) -> None:
    """``--cascade HEAVY``."""
    parser.add_argument("--cascade", metavar="HEAVY", help="the model for rows that a first stage (edge-lasso cascade) "
                        "says 'go on' of")  # fmt: skip


def add_truths(parser: ArgumentParser) -> None:
    """``--learn FILE``, ``--adapt KIND --within R``."""
    add_learn(parser)
    parser.add_argument("--adapt", choices=("offset", "all"), help="correct predictions from rows whose truth comes "
                        "along: offset and gain, or all inputs")  # fmt: skip
    parser.add_argument("--within", type=float, default=0.0, metavar="R", help="with --adapt: by at most R, in the "
                        "output's unit")  # fmt: skip
