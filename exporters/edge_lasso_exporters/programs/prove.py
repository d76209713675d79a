"""Proof that a program, specialized to a model, stays inside its numbers and arrays: the program run on intervals.

Tables are walked row by row, branches on what is known of a value cut it, ways that meet are joined, and a loop whose
length is not known is run until nothing new is known. Members of the state are assumed within the ranges that their
layout declares (`Member`), and shown to begin there and to be there again at the end of a row: so they are for ever.
Where intervals cannot see why a value stays where it does, the program names a lemma (`lemmas`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .environment import Changes, Known, shown, words
from .intervals import REAL, Range, ends, inside, join, just
from .nodes import (
    Branch,
    Call,
    Cell,
    Do,
    Function,
    Jump,
    Loop,
    Member,
    Name,
    Op,
    Pull,
    Push,
    Return,
    Rows,
    Set,
    Spec,
)
from .values import TRUTH, ProofError, Proven, Values

SMALL = 1 << 30
"""MicroPython's small integers on 32 bits, which need no memory, are from -2^30 up to below 2^30."""
LONGEST = 64
ROWS = 10_000
"""Rounds of a loop, and rows of a table, that are looked at one by one; more are taken together where that is enough.
Rows taken together forget what belongs to which, so a table has to be longer than any detector's."""
ROUNDS = 4


def prove(functions: dict[str, Function], spec: Spec, room: int = SMALL) -> Proven:
    """Show that no whole number of a program reaches `room`, no index leaves its array, no shift its width.

    Parameters
    ----------
    functions : dict of str to Function
        From `specialize`.
    spec : Spec
        What they were specialized to.
    room : int

    Raises
    ------
    ProofError
        What may happen, and where.
    """
    return _Prover(functions, spec, room).run()


class _Prover(Values):
    def __init__(self, functions: dict[str, Function], spec: Spec, room: int) -> None:
        super().__init__(functions, spec, room)
        self.returns: list[list[tuple[Changes, Range | None]]] = []
        self.loops: list[list[tuple[str, Known]]] = []
        self.calls: list[Known] = []

    def run(self) -> Proven:
        for name, member in self.spec.members["state"].items():
            if not member.real:
                for i in range(member.count or 1):
                    self.need(inside(just(member.start), self.allowed(member, i)), f"state.{name} begins outside")
                self.proven.members += 1
        known = Known()
        self.call(self.spec.entry, (), known)
        for key, values in known.changes.items():
            if key[-1] == "cell" and key[0] == "state" and values is not None:
                allowed = self.declared(key)
                self.need(inside(values, allowed), f"state.{key[1]} {self.left(key, allowed, values)} after a row")
        return self.proven

    # Statements

    def call(self, name: str, args: Sequence[Range], known: Known) -> Range:
        function, inner = self.functions[name], Known(known)
        for param, values in zip(function.params, args, strict=True):
            inner[name, param] = values
        self.stack.append(name)
        self.returns.append([])
        self.calls.append(known)
        goes_on = self.block(function.body, inner)
        exits = self.returns.pop() + ([(inner.changes, None)] if goes_on else [])
        self.calls.pop()
        ways = [{key: value for key, value in changes.items() if key[-1] == "cell"} for changes, _ in exits]
        known.merge(ways, self.default)
        self.stack.pop()
        results = [values for _, values in exits if values is not None]
        return join(*results) if results else REAL

    def block(self, body: Sequence[Any], known: Known) -> bool:
        """Run statements; whether anything goes on behind them."""
        return all(self.statement(node, known) for node in body)

    def statement(self, node: Any, known: Known) -> bool:
        match node:
            case Set(Name(name), value):
                known[self.stack[-1], name] = self.value(value, known)
            case Set(Cell() as cell, value):
                self.write(cell, value, known)
            case Branch(test, body, other):
                return self.branch(test, body, other, known)
            case Rows() | Loop():
                return self.loop(node, known)
            case Pull(row, table, index):
                values, count = self.value(index, known), len(self.spec.table(table))
                self.proven.indices += 1
                self.need(inside(values, ((0, count - 1),)), f"row {shown(values)} of {table}, which has {count}")
                known[self.stack[-1], row, "row"] = values
            case Jump(word):
                self.loops[-1].append((word, known))
                return False
            case Return(value):
                result = None if value is None else self.value(value, known)
                self.returns[-1].append((known.since(self.calls[-1]), result))
                return False
            case Push(cell, count):
                keys = [(cell.owner, cell.member, i, "cell") for i in range(count)]
                for key, moved in zip(keys[1:], [self.cell(key, known) for key in keys], strict=False):
                    known[key] = moved
            case Do(Call("sums" | "dense" as name, args)):
                if name == "sums":
                    self.proven.lemmas.add("sums")
                for cell in args[1:]:
                    for i in range(self.spec.members[cell.owner][cell.member].count or 0):
                        key = (cell.owner, cell.member, i, "cell")
                        known[key] = self.declared(key)
            case Do(call):
                self.value(call, known)
            case _:
                raise TypeError(node)
        return True

    def write(self, cell: Cell, value: Any, known: Known) -> None:
        member = self.spec.members[cell.owner][cell.member]
        if self.counter(cell):
            step = value.b if isinstance(value, Op) and value.op == "+" and value.a == cell else None
            self.need(step is not None and inside(self.value(step, known), TRUTH), f"{words(cell)} does not count")
            return
        values, keys = self.value(value, known), self.places(cell, known)
        if member.real:
            return
        room = self.allowed(Member(member.low, member.high, none=member.none), None)
        self.need(bool(values) and inside(values, room), f"{words(cell)} {self.left(keys[0], room, values)}")
        for key in keys:
            known[key] = values if len(keys) == 1 else join(values, self.cell(key, known))

    def branch(self, test: Any, body: list[Any], other: list[Any], known: Known) -> bool:
        self.value(test, known)
        ways = []
        for wanted, part in ((True, body), (False, other)):
            way = Known(known)
            if self.assume(test, way, wanted) and self.block(part, way):
                ways.append(way.changes)
        known.merge(ways, self.default)
        return bool(ways)

    # Loops

    def loop(self, node: Any, known: Known) -> bool:
        """Run a loop: its rounds one by one, or until nothing new is known."""
        every = Known(known)
        stops: list[Changes] = []
        name = self.stack[-1]
        if isinstance(node, Rows):
            first, count, last = self.rows(node, known)
            exact = count == last - first
            at: Changes = {(name, node.row, "row"): ((first, last - 1),), (name, node.index): ((0, count - 1),)}
            if first < last and not (
                (last - first > ROWS or not exact) and self.settled(node, at, every, stops, exact)
            ):
                self.need(exact, f"a loop over {node.table} does not settle")
                for i in range(first, last):
                    at = {(name, node.row, "row"): just(i), (name, node.index): just(i - first)}
                    if not self.round(node.body, at, every, stops):
                        break
        else:
            low, high = self.value(node.start, known), self.value(node.stop, known)
            exact = low[0][0] == low[-1][1] and high[0][0] == high[-1][1]
            first, last = low[0][0], high[-1][1]
            at = {(name, node.index): ((first, last - 1),)}
            if first < last and not (
                (last - first > LONGEST or not exact) and self.settled(node, at, every, stops, exact)
            ):
                self.need(exact, f"a loop to {words(node.stop)} does not settle")
                rounds = range(first, last)
                for i in reversed(rounds) if node.down else rounds:
                    if not self.round(node.body, {(name, node.index): just(i)}, every, stops):
                        break
        known.merge([every.changes, *stops], self.default)
        return True

    def rows(self, node: Rows, known: Known) -> tuple[int, int, int]:
        """The first row of a table that a loop is over, how many there are, and the one behind the last."""
        if not node.outer:
            return 0, len(self.spec.table(node.table)), len(self.spec.table(node.table))
        outer, _, inner = node.table.rpartition(".")
        counts = self.spec.table(outer).within[inner][0]
        low, high = ends(known[self.stack[-1], node.outer, "row"] or REAL)
        first, last = sum(counts[:low]), sum(counts[: high + 1])
        return first, max(counts[low : high + 1]), last

    def round(self, body: list[Any], at: Changes, every: Known, stops: list[Changes]) -> bool:
        """Run a round of a loop upon what earlier rounds left; whether there may be another."""
        inner = Known(every)
        inner.changes.update(at)
        self.loops.append([])
        goes_on = self.block(body, inner)
        ways = [inner.changes] if goes_on else []
        for word, known in self.loops.pop():
            if word == "continue":
                ways.append(known.since(every))
            else:
                stops.append({**every.changes, **known.since(every)})
        every.merge(ways, self.default)
        return bool(ways)

    def settled(self, node: Any, at: Changes, every: Known, stops: list[Changes], otherwise: bool = True) -> bool:
        """Run a loop with all of its rounds at once, until nothing new is known; whether that happened.

        `otherwise`: whether there is another way, so that what may happen in it need not be the end.
        """
        before, proven, depth = dict(every.changes), Proven(**vars(self.proven)), len(self.stack)
        loops, ways = len(self.loops), len(stops)
        try:
            for _ in range(ROUNDS):
                trial, old = Known(every), dict(every.changes)
                self.round(node.body, at, trial, stops)
                every.merge([{}, trial.changes], self.default)
                if {key: value for key, value in every.changes.items() if key not in at} == {
                    key: value for key, value in old.items() if key not in at
                }:
                    return True
        except ProofError:
            if not otherwise:
                raise
            for kind in (self.stack, self.returns, self.calls):
                del kind[depth:]
            del self.loops[loops:]
        del stops[ways:]
        every.changes = before
        self.proven = proven
        return False
