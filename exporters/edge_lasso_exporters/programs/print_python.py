"""Python from a program: CPython 3.9 or later and MicroPython, nothing imported but ``exp``.

Tables are tuples, state and result dicts of numbers and lists; a function gets lists as locals, because looking a
member up costs more than arithmetic does.
"""

from __future__ import annotations

from typing import Any

from .nodes import (
    PLAIN,
    Branch,
    Call,
    Cell,
    Column,
    Do,
    Function,
    Jump,
    Logic,
    Loop,
    Member,
    Name,
    Num,
    Op,
    Pick,
    Pull,
    Push,
    Return,
    Rows,
    Set,
    Spec,
    While,
    reads,
    walk,
)

STRENGTH = {"or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "|": 5, "&": 6, "<<": 7,
            ">>": 7, "+": 8, "-": 8, "*": 9, "/": 9, "//": 9}  # fmt: skip
ATOM, UNARY = 20, 10
ABREAST = 4
SHIFTS = (">>", "<<", "|", "&")
RISING = ("<", "<=")
MIDDLE = '''

def _middle(window, value, length):
    """Twice the median of the last values before this one, which is remembered."""
    ordered, count = sorted(window), len(window)
    twice = ordered[count // 2] + ordered[(count - 1) // 2] if count else 0
    window.append(value)
    if count == length:
        del window[0]
    return twice
'''


class PrinterPython:
    """A program's text.

    Parameters
    ----------
    functions : dict of str to Function
        As `specialize` gives them.
    spec : Spec
    suffix : str
        Of functions and tables: several programs may share a file.
    there : set of str
        Names in capitals that the file has already.
    own : str
        How the file computes the linear predictor of ``row`` (or of the integers ``q``) itself.
    """

    def __init__(self, functions: dict[str, Function], spec: Spec, suffix: str = "", there: frozenset[str] = frozenset(), own: str = "") -> None:
        self.functions, self.spec, self.suffix, self.there, self.own = functions, spec, suffix, there, own
        self.current = functions[spec.entry]
        self.alias: dict[tuple[str, str], str] = {}
        nodes = [node for function in functions.values() for node in walk(function.body)]
        self.columns = {(node.table, node.column) for node in nodes if isinstance(node, Column)}
        self.inner = {node.table for node in nodes if isinstance(node, Rows) and node.outer}
        self.numbers = {node.name: node.value for node in nodes if isinstance(node, Num) and node.name}
        self.middles = any(isinstance(node, Call) and node.name == "middle" for node in nodes)

    def source(self) -> str:
        """Constants, tables and functions; the entry function is private, for a wrapper to call."""
        text = self.constants() + self.tables() + (MIDDLE if self.middles else "")
        return text + "".join(self.function(function) for function in self.functions.values())

    def start(self, owner: str) -> str:
        """An owner as a dict of what its members begin with."""
        return "{" + ", ".join(f'"{name}": {self._begin(member)}' for name, member in self.spec.members[owner].items()) + "}"

    def _begin(self, member: Member) -> str:
        if member.window:
            return f"[[] for _ in range({member.count})]"
        value = self._number(member.start)
        return value if member.count is None else f"[{value}] * {member.count}"

    def constants(self) -> str:
        """The numbers that a program has names for."""
        lines = [f"{self._named(name)} = {self._number(value)}" for name, value in self.numbers.items() if name not in self.there]
        return "\n".join(lines) + "\n" if lines else ""

    def _named(self, name: str) -> str:
        return name if name in self.there else f"{name}{self.suffix.upper()}"

    def tables(self) -> str:
        """Constant rows."""
        text = ""
        for name, table in self.spec.tables.items():
            columns = self._columns(name)
            if columns:
                rows = self._rows(name, range(len(table)), {})
                if columns == list(table.columns)[:1]:  # numbers alone: several a line
                    rows = [", ".join(rows[i : i + ABREAST]) for i in range(0, len(rows), ABREAST)]
                text += "\n".join([f"{name}{self.suffix.upper()} = (  # {', '.join(columns)}", *(f"    {row}," for row in rows), ")", ""])
        return text

    def _columns(self, name: str) -> list[str]:
        """What is read of a table's rows, the tables within behind the numbers."""
        table = self.spec.table(name)
        inner = [part for part in table.within if f"{name}.{part}" in self.inner]
        return [column for column in table.columns if (name, column) in self.columns] + inner

    def _rows(self, name: str, which: Any, at: dict[str, int]) -> list[str]:
        table, columns = self.spec.table(name), self._columns(name)
        rows = []
        for i in which:
            cells = []
            for column in columns:
                if column in table.within:
                    inner = f"{name}.{column}"
                    if not self._columns(inner):  # they are all alike: how many there are
                        cells.append(str(table.within[column][0][i]))
                        continue
                    first = at.get(inner, 0)
                    at[inner] = first + table.within[column][0][i]
                    cells.append(_tuple(self._rows(inner, range(first, at[inner]), at)))
                else:
                    cells.append(self._number(table.columns[column][i]))
            rows.append(cells[0] if len(cells) == 1 else _tuple(cells))
        return rows

    # Functions

    def function(self, function: Function) -> str:
        """One function."""
        entry = function.name == self.spec.entry
        self.current = function
        self.alias = {}
        taken = {self.own.partition("(")[0], *function.kinds, *function.params, *(member for owner, member in function.uses if owner in PLAIN)}
        ahead = []
        for owner, member in sorted({(cell.owner, cell.member) for cell in walk(function.body) if isinstance(cell, Cell)}):
            if owner not in PLAIN and self.spec.members[owner][member].count is not None:
                self.alias[owner, member] = member + "_" * (member in taken)
                ahead.append(f'    {self.alias[owner, member]} = {owner}["{member}"]')
        if entry:
            ahead = [f"    {name} = {self._begin(member)}" for name, member in self.spec.members.get("work", {}).items()] + ahead
        given = [member or owner for owner, member in function.uses if not (owner == "work" and entry)]
        head = f"\n\ndef _{function.name}{self.suffix}({', '.join([*given, *function.params])}):\n"
        says = f'    """{function.says}"""\n' if function.says else ""
        return head + says + "\n".join([*ahead, *self.block(function.body, 1)]) + "\n"

    def block(self, body: list[Any], depth: int) -> list[str]:
        """Statements, indented."""
        pad = "    " * depth
        lines = []
        for node in body:
            lines += [f"{pad}# {comment}" for comment in getattr(node, "above", ())]
            made = [pad + line for line in self.statement(node)]
            if getattr(node, "behind", "") and made:
                made[0] += f"  # {node.behind}"
            lines += made
        return lines or [f"{pad}pass"]

    def statement(self, node: Any) -> list[str]:
        """A statement's lines."""
        match node:
            case Set(target, Op("+" | "-" | "*" as op, a, b)) if a == target:
                return [f"{self.expr(target)} {op}= {self.expr(b)}"]
            case Set(target, value):
                return [f"{self.expr(target)} = {self.expr(value)}"]
            case Branch(test, body, other):
                lines = [f"if {self.expr(test)}:", *self.block(body, 1)]
                if len(other) == 1 and isinstance(other[0], Branch):
                    more = self.statement(other[0])
                    return [*lines, f"el{more[0]}", *more[1:]]
                return lines + (["else:", *self.block(other, 1)] if other else [])
            case While(test, body):
                return [f"while {self.expr(test)}:", *self.block(body, 1)]
            case Loop(index, stop, body, down, start):
                ends = f"{self.expr(start)}, " if start != Num(0) else ""
                way = f"{self.expr(stop, 8)} - 1, -1, -1" if down else f"{ends}{self.expr(stop)}"
                return [f"for {index} in range({way}):", *self.block(body, 1)]
            case Rows():
                return [self._head(node), *self.block(node.body, 1)]
            case Pull(row, table, index):
                names = self._unpacked(row, table, self.current.body)
                return [f"{names} = {table}{self.suffix.upper()}[{self.expr(index)}]"]
            case Jump(word):
                return [word]
            case Return(value):
                return ["return" if value is None else f"return {self.expr(value)}"]
            case Push(Cell(owner, member), count):
                name = self.alias[owner, member]
                return [f"{name}[1:{count}] = {name}[:{count - 1}]"] if count > 1 else []
            case Do(Call("dense" | "sums", (_, values))):
                place = "[:]" if len(self.spec.tables["SUMS"]) > 1 else "[0]"
                return [f"{self.alias.get((values.owner, values.member), values.member)}{place} = {self.own}"]
            case Do(call):
                return [self.expr(call)]
        raise TypeError(node)

    def _unpacked(self, row: str, table: str, body: list[Any]) -> str:
        """A row's numbers by name, ``_`` for those that nobody reads."""
        wanted = {node.column for node in walk(body) if isinstance(node, Column) and node.row == row}
        wanted |= {node.table.rpartition(".")[2] for node in walk(body) if isinstance(node, Rows) and node.outer == row}
        return ", ".join(f"{row}_{column}" if column in wanted else "_" for column in self._columns(table))

    def _head(self, node: Rows) -> str:
        columns = self._columns(node.table)
        names = self._unpacked(node.row, node.table, node.body)
        table = f"{node.outer}_{node.table.rpartition('.')[2]}" if node.outer else f"{node.table}{self.suffix.upper()}"
        counts = reads(node.body, node.index)
        if not set(names) - set("_, "):
            count = table if node.outer and not columns else f"len({table})" if node.outer else len(self.spec.table(node.table))
            return f"for {node.index if counts else '_'} in range({count}):"
        if not counts:
            return f"for {names} in {table}:"
        return f"for {node.index}, {f'({names})' if len(columns) > 1 else names} in enumerate({table}):"

    # Expressions

    def expr(self, node: Any, strength: int = 0) -> str:
        """An expression, in brackets where it binds weaker than what is around it."""
        text, own = self.spell(node)
        return f"({text})" if own < strength else text

    def spell(self, node: Any) -> tuple[str, int]:
        """An expression and how strongly it binds."""
        match node:
            case Num(value, name):
                text = self._named(name) if name else self._number(value)
                return text, UNARY if text.startswith("-") else ATOM
            case Name(name):
                return name, ATOM
            case Cell(owner, member, index):
                return self.cell(owner, member, index), ATOM
            case Column(row, column):
                return f"{row}_{column}", ATOM
            case Op("-", Num(0, ""), b):
                return f"-{self.expr(b, UNARY)}", UNARY
            case Op(op, a, b):
                own = STRENGTH[op]
                left, right = (8, 9) if op in SHIFTS else (own, own + 1)
                left = ATOM if op in SHIFTS and isinstance(a, Op) else left  # nobody knows by heart what binds stronger
                right = ATOM if op in SHIFTS and isinstance(b, (Op, Call)) else right
                return f"{self.expr(a, left)} {self.operator(op)} {self.expr(b, right)}", own
            case Logic("not", (a,)):
                return self.negated(a)
            case Logic(op, parts):
                return self.joined(op, parts)
            case Pick(test, a, b):
                return self.pick(self.expr(test, 1), self.expr(a, 1), self.expr(b)), 0
            case Call(name, args) if name in self.functions:
                given = [member or owner for owner, member in self.functions[name].uses]
                return f"{self.called(name)}({', '.join([*given, *map(self.expr, args)])})", ATOM
            case Call(name, args):
                return self.intrinsic(name, args)
        raise TypeError(node)

    def cell(self, owner: str, member: str, index: Any) -> str:
        """A member, or an element of it."""
        if index is None:
            return f'{owner}["{member}"]'
        name = member if owner in PLAIN else self.alias[owner, member]
        return f"{name}[{self.expr(index)}]"

    def called(self, name: str) -> str:
        """The name of a function of the program."""
        return f"_{name}{self.suffix}"

    def operator(self, op: str) -> str:
        """An operator."""
        return op

    def pick(self, test: str, a: str, b: str) -> str:
        """``a if test else b``."""
        return f"{a} if {test} else {b}"

    def negated(self, a: Any) -> tuple[str, int]:
        """``not a``."""
        return f"not {self.expr(a, 3)}", 3

    def joined(self, op: str, parts: Any) -> tuple[str, int]:
        """``and`` and ``or``; what lies between two ends is written so."""
        texts, rest = [], list(parts)
        while rest:
            first = rest.pop(0)
            second = rest[0] if rest else None
            if op == "and" and _rising(first) and _rising(second) and first.b == second.a:
                rest.pop(0)
                texts.append(f"{self.expr(first.a, 5)} {first.op} {self.expr(first.b, 5)} {second.op} {self.expr(second.b, 5)}")
            else:
                texts.append(self.expr(first, STRENGTH[op] + 1))
        return (texts[0], 4) if len(texts) == 1 else (f" {op} ".join(texts), STRENGTH[op])

    def intrinsic(self, name: str, args: Any) -> tuple[str, int]:
        """What this language has for an intrinsic."""
        match name:
            case "clip":
                x, low, high = (self.expr(arg, 5) for arg in args)
                return f"{low} if {x} < {low} else {high} if {x} > {high} else {x}", 0
            case "largest":
                a, b = (self.expr(arg, 5) for arg in args)
                return f"{a} if {a} > {b} else {b}", 0
            case "floored":
                return f"int({self.expr(args[0], 9)} // 1.0)", ATOM
            case "decoded":
                several = len(self.spec.tables["SUMS"]) > 1
                return f"decode({self.expr(args[0])}{f', {self.expr(args[1])}' if several else ''})", ATOM
            case "probability":
                return f"probability({self.expr(args[0])}) / 65536", 9
            case "bit":
                return f"1 << {self.expr(args[0], ATOM)}", 7
            case "missing":
                return "NAN", ATOM
            case "within":
                return self.spell(args[0])
        words = {"size": "abs", "exponential": "exp", "whole": "int", "middle": "_middle"}
        return f"{words[name]}({', '.join(map(self.expr, args))})", ATOM

    def _number(self, value: Any) -> str:
        return "NAN" if value != value else repr(value)


def _rising(node: Any) -> bool:
    return isinstance(node, Op) and node.op in RISING


def _tuple(cells: list[str]) -> str:
    return f"({', '.join(cells)}{',' * (len(cells) == 1)})"
