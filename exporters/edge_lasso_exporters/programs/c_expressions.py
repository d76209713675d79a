"""Expressions of a program in C, and the names of what they touch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_lasso_exporters.c_layout import c_double, c_float

from .c_types import NARROW, local_type, narrowest, width
from .kinds import kind_of
from .nodes import COMPARE, PLAIN, Call, Cell, Column, Function, Logic, Member, Name, Num, Op, Pick, Rows, Spec, walk

TYPES = {"state": "state", "out": "result"}
OWNERS = {"state": "state", "out": "result"}
READS = {8: "BYTE", 16: "WORD", 32: "LONG"}
LARGEST_INT = 32767


class Expressions:
    """What a printer of C knows of a program.

    Parameters
    ----------
    functions : dict of str to Function
        As `specialize` gives them.
    spec : Spec
    prefix : str
        Of all names.
    real : str
        The type of readings: ``float``, ``double``, or a macro.
    suffix : str
        Of functions, types and tables: several programs may share a file.
    there : dict of str to str
        Names in capitals that are macros already, and which.
    """

    def __init__(
        self, functions: dict[str, Function], spec: Spec, prefix: str, real: str = "double", suffix: str = "",
        there: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.functions, self.spec, self.p, self.P = functions, spec, prefix, prefix.upper()
        self.real, self.suffix, self.there = real, suffix, there or {}
        self.current = functions[spec.entry]
        nodes = [node for function in functions.values() for node in walk(function.body)]
        self.columns = {(node.table, node.column) for node in nodes if isinstance(node, Column)}
        self.numbers = {node.name: node.value for node in nodes if isinstance(node, Num) and node.name}
        for node in nodes:
            if isinstance(node, Rows) and node.outer:
                outer, _, name = node.table.rpartition(".")
                counts = self.spec.table(outer).within[name][0]
                if len(set(counts)) > 1:  # a loop needs the number of rows within
                    self.spec.table(outer).columns[name] = counts
                    self.columns.add((outer, name))
        tables = [
            name for name in self._all_tables(self.spec.tables) if any(table == name for table, _ in self.columns)
        ]
        self.used = tables

    def _all_tables(self, tables: Any, ahead: str = "") -> list[str]:
        results = []
        for name, table in tables.items():
            results.append(ahead + name)
            results += self._all_tables({inner: part for inner, (_, part) in table.within.items()}, f"{ahead}{name}.")
        return results

    # Names

    def type_of(self, owner: str) -> str:
        """The type of an owner."""
        return f"{self.p}_{TYPES[owner]}{self.suffix}"

    def owner(self, owner: str) -> str:
        """What functions call it."""
        return OWNERS.get(owner, owner)

    def called(self, name: str) -> str:
        """The name of a function of the program."""
        return f"{self.p}_{name}{self.suffix}"

    def named(self, name: str) -> str:
        """The macro of a number."""
        return self.there.get(name) or f"{self.P}_{name}{self.suffix.upper()}"

    def table_name(self, name: str) -> str:
        """The type of a table's rows, and the beginning of its arrays' names."""
        return f"{self.p}_{name.replace('.', '_').lower()}{self.suffix}"

    def kind(self, member: Member) -> str:
        """The type of a member."""
        if member.low is None or member.high is None:
            return self.real
        return narrowest([member.low, member.high, *([] if member.none is None else [member.none])])

    def column_type(self, values: list[Any]) -> str:
        """The type of a table's column."""
        return self.real if isinstance(values[0], float) else narrowest(values)

    def length(self, member: Member) -> str:
        """The length of an array."""
        return f"{self.P}_{member.per}" if member.per else str(member.count)

    def counts_differ(self, table: str, inner: Rows) -> bool:
        """Whether the rows of a table have unequal numbers of rows within."""
        return len(set(self.spec.table(table).within[inner.table.rpartition(".")[2]][0])) > 1

    def count_of(self, table: str, name: str, row: str) -> str:
        """How many rows within the row that a loop is at."""
        counts = self.spec.table(table).within[name][0]
        return str(counts[0]) if len(set(counts)) == 1 else self.expr(Column(row, name, table))

    # Expressions

    def literal(self, value: Any) -> str:
        """A constant that reads back exactly, of the width that it needs."""
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, float):
            text = c_float(value) if self.real == "float" else c_double(value)
            return text if self.real in ("float", "double") else f"({self.real}){text}"
        if value == -(1 << 31):
            return "INT32_MIN"
        return str(value) if abs(value) <= LARGEST_INT else f"INT32_C({value})" if value > 0 else f"-INT32_C({-value})"

    def bracketed(self, value: Any) -> str:
        """The same for a macro."""
        text = self.literal(value)
        return f"({text})" if text.startswith(("-", "(")) else text

    def kind_of(self, node: Any) -> str:
        """The kind of an expression of the current function."""
        return kind_of(node, self.current, self.functions, self.spec)

    def fitted(self, value: Any, kind: str) -> str:
        """An expression for a place of a type."""
        text = self.expr(value)
        known = isinstance(value, Name) or (isinstance(value, Call) and value.name in self.functions)
        if known and not text.startswith("(") and self.exact_type(value) == kind:
            return text
        if kind in ("int32_t", "int", self.real) or isinstance(value, Num) or self.kind_of(value) == "bits":
            return text
        if isinstance(value, Cell) and self.kind(self.spec.members[value.owner][value.member]) == kind:
            return text
        plain = isinstance(value, (Name, Cell, Column))
        return f"({kind}){text}" if plain else f"({kind})({text})"

    def exact_type(self, node: Any) -> str:
        """The type of a local, or of what a function returns."""
        kinds = self.current.kinds
        kind = kinds.get(node.name, "int") if isinstance(node, Name) else self.functions[node.name].returns
        return local_type(kind, self.real)

    def expr(self, node: Any) -> str:
        """An expression."""
        match node:
            case Num(value, name):
                return self.named(name) if name else self.literal(value)
            case Name(name):
                return name
            case Cell(owner, member, index):
                base = member if owner in PLAIN else f"{self.owner(owner)}->{member}"
                return base if index is None else f"{base}[{self.expr(index)}]"
            case Column(row, column, table):
                return self.column(row, column, table)
            case Op(op, a, b):
                return self.operation(op, a, b)
            case Logic("not", (a,)):
                return f"!{self.part(a)}"
            case Logic(op, parts):
                return f" {'&&' if op == 'and' else '||'} ".join(map(self.part, parts))
            case Pick(test, a, b):
                return f"{self.part(test)} ? {self.part(a)} : {self.part(b)}"
            case Call(name, args) if name in self.functions:
                return self.own_call(name, args)
            case Call(name, args):
                return self.intrinsic(name, args)
        raise TypeError(node)

    def part(self, node: Any) -> str:
        """An expression within another."""
        text = self.expr(node)
        plain = isinstance(node, (Name, Cell, Num)) or (isinstance(node, Call) and node.name in self.functions)
        plain |= isinstance(node, Column) and not text.startswith("(")
        plain |= isinstance(node, Op) and text.startswith(f"{self.P}_FLOOR(") and node.op == ">>"
        return text if plain and not text.startswith("-") else f"({text})"

    def wide(self, node: Any) -> str:
        """An operand of arithmetic: 32 bits wherever ``int`` has 16."""
        narrow = isinstance(node, Cell) and self.kind(self.spec.members[node.owner][node.member]) in NARROW
        narrow |= isinstance(node, Column) and self.column_type(self.spec.column(node)) in NARROW
        text = self.expr(node)
        return f"(int32_t){text}" if narrow and not text.startswith("(int32_t)") else self.part(node)

    def column(self, row: str, column: str, table: str) -> str:
        """A number of a table's row; of rows within rows it is read where the loop is at."""
        if "." not in table:
            return f"{row}->{column}"
        kind = self.column_type(self.spec.table(table).columns[column])
        at = f"{self.table_name(table)}_{column}[{row}_at]"
        if kind == self.real:
            return f"{self.p}_read_real{self.suffix}(&{at})"
        return f"({kind}){self.P}_READ_{READS[width(kind)]}(&{at})"

    def operation(self, op: str, a: Any, b: Any) -> str:
        """Arithmetic and comparisons."""
        if op in COMPARE:
            return f"{self.part(a)} {op} {self.part(b)}"
        whole = self.kind_of(Op(op, a, b)) == "int"
        if op == "-" and a == Num(0) and not isinstance(a.value, float):
            return f"-{self.part(b)}"
        if op == ">>" and whole:
            return f"{self.P}_FLOOR({self.wide(a)}, {self.part(b)})"
        if op == "//":
            return self.floored(a, b)
        if op == "<<":
            return f"(int32_t)(UINT32_C({a.value}) << {self.part(b)})"
        if op == "&":
            return f"(int32_t)((uint32_t){self.part(a)} & {self.literal(b.value)}U)"
        if not whole:
            return f"{self.part(a)} {op} {self.part(b)}"
        return f"{self.wide(a)} {op} {self.wide(b)}"

    def floored(self, a: Any, b: Any) -> str:
        """A division that rounds down; of what cannot be negative it is C's own."""
        if b == Num(2) and self.kind_of(a) in ("int", "index"):
            return f"{self.part(a)} / 2"
        x, y = self.wide(a), self.wide(b)
        return f"({x} / {y}) - (({x} % {y}) < 0)"

    def own_call(self, name: str, args: Any) -> str:
        """A call of a function of the program."""
        function = self.functions[name]
        uses = [member or self.owner(owner) for owner, member in function.uses]
        values = [self.expr(arg) for arg in args]
        return f"{self.called(name)}({', '.join([*uses, *values])})"

    def intrinsic(self, name: str, args: Any) -> str:
        """What C has for an intrinsic."""
        match name:
            case "clip":
                x, low, high = map(self.part, args)
                return f"({x} < {low}) ? {low} : (({x} > {high}) ? {high} : {x})"
            case "largest":
                a, b = map(self.part, args)
                return f"({a} > {b}) ? {a} : {b}"
            case "size":
                a = self.part(args[0])
                return f"({a} < 0) ? -{a} : {a}"
            case "bit":
                return f"UINT32_C(1) << {self.part(args[0])}"
            case "missing":
                return f"{self.p}_missing()"
            case "floored":
                return f"{self.p}_floored({self.expr(args[0])})"
            case "decoded":
                value, output = map(self.expr, args)
                several = len(self.spec.tables["SUMS"]) > 1
                return f"{self.p}_decode({value}{f', {output}' if several else ''})"
            case "probability":
                return f"({self.real}){self.p}_probability({self.expr(args[0])}) / {self.literal(65536.0)}"
            case "exponential":
                return f"({self.real}){'expf' if self.real == 'float' else 'exp'}({self.expr(args[0])})"
            case "whole":
                return f"({self.real})(int32_t){self.part(args[0])}"
            case "within":
                return self.expr(args[0])
        raise TypeError(name)
