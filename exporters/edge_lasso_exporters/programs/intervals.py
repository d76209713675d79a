"""Sets of whole numbers, as at most three intervals: what a value of a program can be.

A set is a tuple of ``(low, high)``, rising and apart. `REAL`, without any, stands for numbers of floating point, about
which nothing is claimed; one that has been cut to known ends has them as floats.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

Ends = tuple[int, int]
Range = tuple[Ends, ...]
REAL: Range = ()
MOST = 3
FAR = 1 << 62
OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
CORNERS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, ">>": operator.rshift,
    "<<": operator.lshift,
}  # fmt: skip


def whole(values: Range) -> bool:
    """Whether these are whole numbers."""
    return bool(values) and not isinstance(values[0][0], float)


def just(value: int) -> Range:
    """A set of one."""
    return ((value, value),)


def ends(values: Range) -> Ends:
    """The smallest and the largest of a set."""
    return values[0][0], values[-1][1]


def join(*sets: Range) -> Range:
    """What is in any of the sets; where that are more than `MOST` intervals, what lies between the middle ones, too."""
    if any(not whole(values) for values in sets):
        return sets[0] if all(values == sets[0] for values in sets) else REAL
    pieces: list[Ends] = []
    for low, high in sorted(piece for values in sets for piece in values):
        if pieces and low <= pieces[-1][1] + 1:
            pieces[-1] = (pieces[-1][0], max(pieces[-1][1], high))
        else:
            pieces.append((low, high))
    if len(pieces) > MOST:
        pieces = [pieces[0], (pieces[1][0], pieces[-2][1]), pieces[-1]]
    return tuple(pieces)


def inside(values: Range, allowed: Range) -> bool:
    """Whether a set is part of another."""
    return all(any(low <= a and b <= high for low, high in allowed) for a, b in values)


def between(values: Range, low: int, high: int) -> Range:
    """Of a set what lies from `low` to `high`."""
    return tuple((max(a, low), min(b, high)) for a, b in values if a <= high and b >= low)


def fitting(values: Range, op: str, others: Range) -> Range:
    """Of a set of whole numbers what can stand in a comparison with some of others; empty where nothing can."""
    low, high = ends(others)
    if op == "==":
        return tuple(piece for a, b in others for piece in between(values, a, b))
    if op == "!=":
        return between(values, -FAR, low - 1) + between(values, low + 1, FAR) if low == high else values
    first, last = {"<": (-FAR, high - 1), "<=": (-FAR, high), ">": (low + 1, FAR), ">=": (low, FAR)}[op]
    return between(values, first, last)


def computed(op: str, left: Range, right: Range) -> Range:
    """What an operation can give; a divisor is positive, a mask is not negative."""
    if op == "&":
        return ((0, right[-1][1]),)
    if op == "|":
        return ((0, (1 << max(left[-1][1], right[-1][1]).bit_length()) - 1),)
    corner = CORNERS[op]
    results = []
    for low, high in left:
        for a, b in right:
            corners = [corner(x, y) for x in (low, high) for y in (a, b)]
            results.append(((min(corners), max(corners)),))
    return join(*results)


def squared(values: Range) -> Range:
    """What a number times itself can be."""
    results = []
    for low, high in values:
        sizes = (low * low, high * high)
        results.append(((0 if low <= 0 <= high else min(sizes), max(sizes)),))
    return join(*results)


def sizes(values: Range) -> Range:
    """Magnitudes."""
    return join(*(((0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))),)
                  for low, high in values))  # fmt: skip


def clipped(values: Range, low: Range, high: Range) -> Range:
    """A number cut to its ends, each of which is a set, too."""
    if not low or not high:
        return REAL
    first, last = min(low[0][0], high[0][0]), max(low[-1][1], high[-1][1])
    if not (whole(values) and whole(low) and whole(high)):
        return ((float(first), float(last)),)  # type: ignore[return-value]
    if low[0][0] != low[-1][1] or high[0][0] != high[-1][1]:
        return ((first, last),)
    return join(*(((min(max(a, first), last), min(max(b, first), last)),) for a, b in values))


def larger(left: Range, right: Range) -> Range:
    """The larger of two."""
    return ((max(left[0][0], right[0][0]), max(left[-1][1], right[-1][1])),)
