"""WebAssembly from a program. Every number is an f64, whole ones too: they stay below 2^31, so that nothing is rounded.

Tables, state, readings, scratch and results lie one after another in the memory, numbers of eight bytes; functions take
and give numbers alone. One thing is imported, where a link asks for it: the exponential, which the machine lacks.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from edge_lasso_exporters.wasm_writer import (
    ABS,
    ADD,
    BLOCK,
    BRANCH,
    BRANCH_IF,
    CALL,
    DIVIDE,
    ELSE,
    END,
    EQ,
    FLOOR,
    FROM_BOOL,
    FROM_INT,
    GE,
    GET_MEMORY,
    GT,
    IF,
    LE,
    LOOP,
    LT,
    MUL,
    NE,
    NEGATE,
    NOT,
    NOTHING,
    OR,
    PUT_MEMORY,
    RETURN,
    SELECT,
    SHIFT,
    SUB,
    TO_INT,
    TRUNCATE,
    UNREACHABLE,
    Code,
    constant,
    get,
    integer,
    put,
    unsigned,
)  # fmt: skip

from .nodes import (
    COMPARE,
    Branch,
    Call,
    Cell,
    Column,
    Do,
    Function,
    Jump,
    Logic,
    Loop,
    Name,
    Num,
    Op,
    Pick,
    Pull,
    Return,
    Rows,
    Set,
    Spec,
    walk,
)  # fmt: skip

ARITHMETIC = {"+": ADD, "-": SUB, "*": MUL, "/": DIVIDE}
COMPARISON = {"==": EQ, "!=": NE, "<": LT, "<=": LE, ">": GT, ">=": GE}
ONE = {"size": ABS, "whole": TRUNCATE, "floored": FLOOR, "within": b""}
F64, I32 = b"\x7c", b"\x7f"
OWNERS = ("state", "given", "out", "work")
EXP = 0
"""The place of the import among the functions, where there is one."""


class PrinterWasm:
    """A program's code.

    Parameters
    ----------
    functions : dict of str to Function
        As `specialize` gives them.
    spec : Spec
    before : int
        Functions of the module that stand before the program's, without the import.
    """

    def __init__(self, functions: dict[str, Function], spec: Spec, before: int) -> None:
        self.spec, self.functions = spec, functions
        calls = [node for node in walk([function.body for function in functions.values()]) if isinstance(node, Call)]
        self.exponential = any(call.name == "exponential" for call in calls)
        """Whether the import is called."""
        self.places = {name: before + self.exponential + k for k, name in enumerate(functions)}
        self.image: list[float] = []
        self.columns: dict[Any, int] = {}
        self.at = {owner: self.members(owner) for owner in OWNERS if owner in spec.members}
        self.codes = [self.function(function) for function in functions.values()]

    @property
    def data(self) -> bytes:
        """What the memory begins with."""
        return struct.pack(f"<{len(self.image)}d", *self.image)

    def members(self, owner: str) -> dict[str, tuple[int, int | None]]:
        """Where the members of an owner lie, in numbers from the memory's begin, and how many they are."""
        table = {}
        for name, member in self.spec.members[owner].items():
            table[name] = len(self.image), member.count
            self.image += [float(member.start)] * (1 if member.count is None else member.count)
        return table

    def span(self, owner: str) -> tuple[int, int]:
        """Where an owner begins, and how many numbers it has."""
        ends = [(at, at + (1 if count is None else count)) for at, count in self.at[owner].values()]
        return (ends[0][0], ends[-1][1] - ends[0][0]) if ends else (0, 0)

    def column(self, key: Any, values: Sequence[float]) -> int:
        """Where a table's column lies."""
        if key not in self.columns:
            self.columns[key] = len(self.image)
            self.image += map(float, values)
        return self.columns[key]

    # Functions and statements

    def function(self, function: Function) -> Code:
        """One function; the entry is exported."""
        self.current, self.locals = function, {name: k for k, name in enumerate(function.params)}
        self.labels: list[str] = []
        entry = function.name == self.spec.entry
        body = self.block(function.body) + (UNREACHABLE if function.returns else b"")
        count = len(self.locals) - len(function.params)
        return Code(len(function.params), bool(function.returns), count, body, function.name if entry else "")

    def local(self, name: str) -> int:
        """The place of a local."""
        return self.locals.setdefault(name, len(self.locals))

    def block(self, body: list[Any]) -> bytes:
        """Statements one after another."""
        return b"".join(map(self.statement, body))

    def statement(self, node: Any) -> bytes:
        """A statement."""
        match node:
            case Set(Name(name), value):
                return self.number(value) + put(self.local(name))
            case Set(Cell(owner, member, index), value):
                at, _ = self.at[owner][member]
                return self.address(index) + self.number(value) + PUT_MEMORY + unsigned(8 * at)
            case Branch(test, body, other):
                self.labels.append("if")
                inside = self.block(body) + (ELSE + self.block(other) if other else b"")
                self.labels.pop()
                return self.test(test) + IF + NOTHING + inside + END
            case Loop(index, stop, body, down, start):
                at = self.local(index)
                if down:
                    less = get(at) + constant(1.0) + SUB + put(at)
                    return self.loop(self.number(stop) + put(at), get(at) + constant(0.0) + GT, body, less, b"")
                ahead = self.number(start) + put(at)
                return self.loop(ahead, get(at) + self.number(stop) + LT, body, b"", self.next(at))
            case Rows(index, row, table, body, ""):
                at = self.locals[f"{row}@"] = self.local(index)
                inner = [part for part in walk(body) if isinstance(part, Rows) and part.outer]
                ahead = b"".join(constant(0.0) + put(self.local(f"{part.row}@")) for part in inner)
                test = get(at) + constant(float(len(self.spec.table(table)))) + LT
                return self.loop(ahead + constant(0.0) + put(at), test, body, b"", self.next(at))
            case Rows(index, row, table, body, outer):
                at, place = self.local(f"{row}@{index}"), self.local(f"{row}@")
                above, _, name = table.rpartition(".")
                counts = self.column((table, "#"), self.spec.table(above).within[name][0])
                stop = get(self.local(f"{outer}@")) + self.load(counts)
                after = self.next(at) + self.next(place)
                return self.loop(constant(0.0) + put(at), get(at) + stop + LT, body, b"", after)
            case Pull(row, _, index):
                return self.number(index) + put(self.local(f"{row}@"))
            case Jump(word):
                depth = self.labels[::-1].index(word)
                return BRANCH + unsigned(depth)
            case Return(value):
                return (b"" if value is None else self.number(value)) + RETURN
            case Do(call):
                return self.number(call)
        raise TypeError(node)

    def next(self, at: int) -> bytes:
        """A local and one."""
        return get(at) + constant(1.0) + ADD + put(at)

    def loop(self, ahead: bytes, test: bytes, body: list[Any], first: bytes, after: bytes) -> bytes:
        """A loop: what is done before it, whether it goes on, and what each round begins and ends with."""
        self.labels += ["break", "loop", "continue"]
        inside = self.block(body)
        del self.labels[-3:]
        around = BLOCK + NOTHING + first + inside + END
        rounds = LOOP + NOTHING + test + NOT + BRANCH_IF + unsigned(1) + around + after + BRANCH + unsigned(0) + END
        return ahead + BLOCK + NOTHING + rounds + END

    # Expressions

    def address(self, index: Any) -> bytes:
        """An offset in bytes."""
        return integer(0) if index is None else self.number(index) + TO_INT + integer(3) + SHIFT

    def load(self, base: int) -> bytes:
        """The number at a place (an f64 on the stack) of what begins at `base`."""
        return TO_INT + integer(3) + SHIFT + GET_MEMORY + unsigned(8 * base)

    def number(self, node: Any) -> bytes:
        """An expression, as f64."""
        match node:
            case Num(value):
                return constant(float(value))
            case Name(name):
                return get(self.local(name))
            case Cell(owner, member, index):
                at, _ = self.at[owner][member]
                return self.address(index) + GET_MEMORY + unsigned(8 * at)
            case Column(row, column, table):
                base = self.column((table, column), self.spec.column(node))
                return get(self.local(f"{row}@")) + self.load(base)
            case Op("-", Num(0, ""), b):
                return self.number(b) + NEGATE
            case Op("|", a, b):
                return self.number(a) + TO_INT + self.number(b) + TO_INT + OR + FROM_INT
            case Op("//", a, b):
                return self.number(a) + self.number(b) + DIVIDE + FLOOR
            case Op(op, a, b) if op in ARITHMETIC:
                return self.number(a) + self.number(b) + ARITHMETIC[op]
            case Op() | Logic():
                return self.test(node) + FROM_BOOL
            case Pick(test, a, b):
                return self.test(test) + IF + F64 + self.number(a) + ELSE + self.number(b) + END
            case Call(name, args):
                return self.call(name, args)
        raise TypeError(node)

    def call(self, name: str, args: Any) -> bytes:
        """A function of the program, or an intrinsic."""
        numbers = b"".join(map(self.number, args))
        if name in self.functions:
            return numbers + CALL + unsigned(self.places[name])
        if name in ONE:
            return numbers + ONE[name]
        match name:
            case "exponential":
                return numbers + CALL + unsigned(EXP)
            case "missing":
                return constant(float("nan"))
            case "bit":
                return integer(1) + numbers + TO_INT + SHIFT + FROM_INT
            case "clip":
                x, low, high = (self.local(f"clip@{part}") for part in range(3))
                upper = get(high) + get(x) + get(x) + get(high) + GT + SELECT
                return numbers + put(high) + put(low) + put(x) + get(low) + upper + get(x) + get(low) + LT + SELECT
            case "largest":
                a, b = (self.local(f"largest@{part}") for part in range(2))
                return numbers + put(b) + put(a) + get(a) + get(b) + get(a) + get(b) + GT + SELECT
        raise TypeError(name)

    def test(self, node: Any) -> bytes:
        """An expression, as a bool."""
        match node:
            case Op(op, a, b) if op in COMPARE:
                return self.number(a) + self.number(b) + COMPARISON[op]
            case Logic("not", (a,)):
                return self.test(a) + NOT
            case Logic(op, (a, *rest)):
                if not rest:
                    return self.test(a)
                more = self.test(Logic(op, tuple(rest)))
                both = more + ELSE + integer(0) if op == "and" else integer(1) + ELSE + more
                return self.test(a) + IF + I32 + both + END
        return self.number(node) + constant(0.0) + NE
