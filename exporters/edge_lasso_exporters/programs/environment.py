"""What is known at a place of a program, and what it says in words: for `prove`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .intervals import Range, join
from .nodes import Call, Cell, Column, Logic, Name, Num, Op, Pick

Key = tuple[Any, ...]
Changes = dict[Key, "Range | None"]
"""Locals are (function, name), rows (function, row, "row"), cells (owner, member, index, "cell")."""


class Known:
    """What locals, rows and cells can be: changes upon what was known before a branch, a loop or a call."""

    def __init__(self, before: Known | None = None) -> None:
        self.before = before
        self.changes: Changes = {}

    def __getitem__(self, key: Key) -> Range | None:
        level: Known | None = self
        while level is not None:
            if key in level.changes:
                return level.changes[key]
            level = level.before
        return None

    def __setitem__(self, key: Key, values: Range) -> None:
        self.changes[key] = values

    def since(self, start: Known) -> Changes:
        """All changes upon an earlier level."""
        level, changes = self, dict(self.changes)
        while level.before is not None and level.before is not start:
            level = level.before
            changes = {**level.changes, **changes}
        return changes

    def merge(self, ways: Sequence[Changes], declared: Callable[[Key], Range | None]) -> None:
        """Go on where several ways meet; a local that one of them has not set is not known."""
        for key in {key for changes in ways for key in changes}:
            before = self[key]
            before = declared(key) if before is None else before
            values = [changes.get(key, before) for changes in ways]
            whole = [value for value in values if value is not None]
            self.changes[key] = join(*whole) if len(whole) == len(values) else None


def words(node: Any) -> str:
    """An expression as a program has it."""
    match node:
        case Num(value, name):
            return name or str(value)
        case Name(name):
            return name
        case Cell(owner, member, index):
            return f"{owner}.{member}" + (f"[{words(index)}]" if index is not None else "")
        case Column(row, column):
            return f"{row}.{column}"
        case Op(op, a, b):
            return f"{_inner(a)} {op} {_inner(b)}"
        case Logic("not", (part,)):
            return f"not {_inner(part)}"
        case Logic(op, parts):
            return f" {op} ".join(map(_inner, parts))
        case Pick(test, a, b):
            return f"{words(a)} if {words(test)} else {words(b)}"
        case Call(name, args):
            return f"{name}({', '.join(map(words, args))})"
    return type(node).__name__


def _inner(node: Any) -> str:
    return f"({words(node)})" if isinstance(node, (Op, Logic, Pick)) else words(node)


def shown(values: Range, none: int | None = None) -> str:
    """A set for people."""
    parts = ["nothing" if low == high == none else f"{low:,}" if low == high else f"{low:,} to {high:,}"
             for low, high in values]  # fmt: skip
    return " or ".join(parts)
