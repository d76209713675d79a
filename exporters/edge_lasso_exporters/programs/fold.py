"""What can be computed while a program is read."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from .nodes import Logic, Num, Op

COMPUTE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    ">>": operator.rshift, "<<": operator.lshift, "&": operator.and_, "|": operator.or_, "==": operator.eq,
    "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def combine(op: str, a: Any, b: Any) -> Any:
    """An operation, done now where both sides are known; what changes nothing is left out.

    Of floating point only ``x * 1``, ``x / 1`` and ``x - 0`` are nothing: ``-0.0 + 0.0`` is not ``-0.0``.
    """
    if isinstance(a, Num) and isinstance(b, Num) and not (op == "-" and a == Num(0) and b.name):
        return Num(COMPUTE[op](a.value, b.value))
    if isinstance(b, Num) and not isinstance(b.value, (str, bool)):
        if b.value == 1 and op in ("*", "/", "//"):
            return a
        if b.value == 0 and (op == "-" or (op in ("+", ">>", "<<") and isinstance(b.value, int))):
            return a
    if isinstance(a, Num) and not isinstance(a.value, (str, bool)):
        if a.value == 1 and op == "*":
            return b
        if a.value == 0 and isinstance(a.value, int) and op == "+":
            return b
    return Op(op, a, b)


def compare(op: str, a: Any, b: Any) -> Any:
    """A comparison, done now where both sides are known."""
    return combine(op, a, b)


def logic(op: str, parts: Sequence[Any]) -> Any:
    """``and``, ``or``, ``not``, without what is known."""
    if op == "not":
        return Num(not parts[0].value) if isinstance(parts[0], Num) else Logic("not", tuple(parts))
    unknown = []
    for part in parts:
        if not isinstance(part, Num):
            unknown.append(part)
        elif bool(part.value) == (op == "or"):
            return Num(op == "or")
    if not unknown:
        return Num(op == "and")
    return unknown[0] if len(unknown) == 1 else Logic(op, tuple(unknown))
