"""What the expressions of a program can be, given what is known: the half of `prove` that looks at values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .environment import Key, Known, shown, words
from .intervals import (
    MIRRORED,
    OPPOSITE,
    REAL,
    Range,
    clipped,
    computed,
    ends,
    fitting,
    inside,
    join,
    just,
    larger,
    sizes,
    squared,
    whole,
)
from .nodes import COMPARE, Call, Cell, Column, Function, Logic, Member, Name, Num, Op, Pick, Spec

WORD = 1 << 31
LAST_SHIFT = 31
TRUTH: Range = ((0, 1),)
SHORT: Range = ((-32768, 32767),)


class ProofError(ValueError):
    """A value may leave its room, an index its array, a shift its width; the message says where."""


@dataclass
class Proven:
    """What a proof has looked at.

    Parameters
    ----------
    largest : int
        The largest magnitude of any whole number.
    where : str
        The function that it can be in.
    operations, indices, shifts, divisors, members : int
        How many of each were looked at, on some way through the program; members of the state.
    lemmas : set of str
        What was used of `lemmas`.
    """

    largest: int = 0
    where: str = ""
    operations: int = 0
    indices: int = 0
    shifts: int = 0
    divisors: int = 0
    members: int = 0
    lemmas: set[str] = field(default_factory=set)


class Values:
    """What expressions can be.

    Parameters
    ----------
    functions : dict of str to Function
    spec : Spec
    room : int
        No whole number is to reach it.
    """

    def __init__(self, functions: dict[str, Function], spec: Spec, room: int) -> None:
        self.functions, self.spec, self.room = functions, spec, room
        self.proven = Proven()
        self.stack: list[str] = []

    def need(self, holds: bool, text: str) -> None:
        """Refuse what may happen."""
        if not holds:
            raise ProofError(f"{' > '.join(self.stack) or self.spec.entry}: {text}")

    # Members

    def allowed(self, member: Member, index: int | None) -> Range:
        """What an element may be between rows."""
        if member.real:
            return REAL
        low, high = member.each[index] if member.each and index is not None else (member.low, member.high)
        own: Range = ((low, high),)  # type: ignore[assignment]
        return join(own, just(member.none)) if member.none is not None else own

    def declared(self, key: Key) -> Range:
        """What an element may be between rows, by its key."""
        return self.allowed(self.spec.members[key[0]][key[1]], key[2])

    def cell(self, key: Key, known: Known) -> Range:
        """What an element can be."""
        values = known[key]
        return self.declared(key) if values is None else values

    def default(self, key: Key) -> Range | None:
        """What is known of a key before anything was written; None for a local."""
        return self.declared(key) if key[-1] == "cell" else None

    def left(self, key: Key, allowed: Range, values: Range) -> str:
        """How an element can leave its range, in words."""
        none = self.spec.members[key[0]][key[1]].none
        at = "" if key[2] is None else f"[{key[2]}] "
        return f"{at}is declared {shown(allowed, none)} and can be {shown(values, none)}"

    def places(self, cell: Cell, known: Known) -> list[Key]:
        """The elements that a cell can be, whose index is shown to be inside."""
        member = self.spec.members[cell.owner][cell.member]
        if cell.index is None:
            return [(cell.owner, cell.member, None, "cell")]
        low, high = ends(self.value(cell.index, known))
        count = member.count or 0
        self.proven.indices += 1
        self.need(low >= 0 and high < count, f"{words(cell)}: the index can be {low} to {high}, of {count} elements")
        return [(cell.owner, cell.member, i, "cell") for i in range(low, high + 1)]

    def counter(self, cell: Any) -> bool:
        """Whether a member only counts up, round and round."""
        return isinstance(cell, Cell) and self.spec.members[cell.owner][cell.member].high == 2 * WORD - 1

    # What is known

    def assume(self, test: Any, known: Known, wanted: bool) -> bool:
        """Cut what is known to what a test leaves; whether anything is left."""
        match test:
            case Num(value):
                return bool(value) == wanted
            case Logic("not", (part,)):
                return self.assume(part, known, not wanted)
            case Logic(op, parts):
                return (op == "and") != wanted or all(self.assume(part, known, wanted) for part in parts)
            case Name() | Cell():
                return self.assume(Op("!=", test, Num(0)), known, wanted)
            case Op(op, a, b) if op in COMPARE:
                op = op if wanted else OPPOSITE[op]
                for side, way, other in ((a, op, b), (b, MIRRORED[op], a)):
                    values, others = self.look(side, known), self.look(other, known)
                    if not (whole(values) and whole(others)):
                        continue
                    rest = fitting(values, way, others)
                    if not rest:
                        return False
                    key = self.key(side, known)
                    if key is not None:
                        known[key] = rest
        return True

    def key(self, node: Any, known: Known) -> Key | None:
        """Where a local or an element is known; None for what is neither, or not one element."""
        if isinstance(node, Name):
            return self.stack[-1], node.name
        if not isinstance(node, Cell):
            return None
        if node.index is None:
            return node.owner, node.member, None, "cell"
        low, high = ends(self.look(node.index, known))
        return (node.owner, node.member, low, "cell") if low == high else None

    def look(self, node: Any, known: Known) -> Range:
        """A value that was looked at before."""
        proven, self.proven = self.proven, Proven()
        try:
            return self.value(node, Known(known))
        finally:
            self.proven = proven

    # Values

    def value(self, node: Any, known: Known) -> Range:
        """What an expression can be, with a look at every whole number on the way to it."""
        values = self.possible(node, known)
        if isinstance(node, (Op, Call)) and whole(values) and not self.bits(node):
            low, high = ends(values)
            most = max(-low, high)
            self.proven.operations += 1
            self.need(
                -self.room <= low and high < self.room,
                f"{words(node)} can reach {(low if -low > high else high):,}; it must stay below {self.room:,}",
            )
            if most > self.proven.largest:
                self.proven.largest, self.proven.where = most, self.stack[-1]
        return values

    def bits(self, node: Any) -> bool:
        """Whether it is a status, whose bits are no number, or what a function returns, which was looked at there."""
        if isinstance(node, Call):
            return node.name == "bit" or node.name in self.functions
        return bool(node.op == "|")

    def possible(self, node: Any, known: Known) -> Range:
        """What an expression can be."""
        match node:
            case Num(bool(value)):
                return just(int(value))
            case Num(int(value)):
                return just(value)
            case Num(float(value)):
                return ((value, value),) if math.isfinite(value) else REAL  # type: ignore[return-value]
            case Name(name):
                values = known[self.stack[-1], name]
                self.need(values is not None, f"{name} may not be set")
                return values or REAL
            case Cell():
                self.need(not self.counter(node), f"{words(node)} is read, and it goes round")
                keys = self.places(node, known)
                return join(*(self.cell(key, known) for key in keys))
            case Column(row, column, table):
                first, last = ends(known[self.stack[-1], row, "row"] or REAL)
                cells = set(self.spec.table(table).columns[column][first : last + 1])
                return join(*(self.possible(Num(value), known) for value in cells))
            case Op(op, a, b):
                return self.operation(op, a, b, known)
            case Logic(op, parts):
                way = Known(known)
                for part in parts:
                    self.value(part, way)
                    if op != "not" and not self.assume(part, way, op == "and"):
                        break
                return TRUTH
            case Pick(test, a, b):
                self.value(test, known)
                results = []
                for part, wanted in ((a, True), (b, False)):
                    way = Known(known)
                    if self.assume(test, way, wanted):
                        results.append(self.value(part, way))
                return join(*results)
            case Call("within", (inner, low, high, Num(lemma))):
                self.proven.lemmas.add(str(lemma))
                for part in (inner.a, inner.b) if isinstance(inner, Op) else (inner,):
                    self.value(part, known)
                if isinstance(inner, Op):
                    self.width(inner.op, self.look(inner.b, known), inner)
                return join(self.span(low, known), self.span(high, known))
            case Call(name, args):
                return self.called(name, args, [self.value(arg, known) for arg in args], known)
        raise TypeError(node)

    def span(self, node: Any, known: Known) -> Range:
        """From the smallest to the largest of an expression."""
        low, high = ends(self.value(node, known))
        return ((low, high),)

    def operation(self, op: str, a: Any, b: Any, known: Known) -> Range:
        """What an operation can give."""
        left, right = self.value(a, known), self.value(b, known)
        if op in COMPARE:
            return TRUTH
        if not (whole(left) and whole(right)):
            return REAL
        self.width(op, right, Op(op, a, b))
        return squared(left) if op == "*" and a == b else computed(op, left, right)

    def width(self, op: str, right: Range, node: Any) -> None:
        """Look at what is on the right of a shift, a division or a mask."""
        if op in (">>", "<<"):
            self.proven.shifts += 1
            self.need(inside(right, ((0, LAST_SHIFT),)), f"{words(node)}: the shift can be by {shown(right)}")
        elif op == "//":
            self.proven.divisors += 1
            self.need(right[0][0] > 0, f"{words(node)}: the divisor can be {right[0][0]}")
        elif op == "&":
            self.need(right[0][0] >= 0, f"{words(node)}: the mask can be {right[0][0]}")

    def called(self, name: str, args: Sequence[Any], values: Sequence[Range], known: Known) -> Range:
        """What an intrinsic or a function of the program gives."""
        match name:
            case "clip":
                return clipped(values[0], values[1], values[2])
            case "largest" | "size" if not all(map(whole, values)):
                return REAL
            case "largest":
                return larger(values[0], values[1])
            case "size":
                return sizes(values[0])
            case "bit":
                self.proven.shifts += 1
                self.need(inside(values[0], ((0, LAST_SHIFT),)), f"bit {shown(values[0])} of a status")
                return ((0, (1 << values[0][-1][1] + 1) - 1),)
            case "floored" | "whole":
                self.proven.lemmas.add("whole")
                if name == "whole":
                    return REAL
                return ((math.floor(values[0][0][0]), math.floor(values[0][-1][1])),) if values[0] else SHORT
            case "missing" | "exponential" | "decoded" | "probability":
                return REAL
        return self.call(name, values, known)

    def call(self, name: str, args: Sequence[Range], known: Known) -> Range:
        """Run a function of the program."""
        raise NotImplementedError
