"""Python from a program: CPython 3.9 or later and MicroPython, nothing imported but ``exp``.

Tables are tuples, state and result dicts of numbers and lists; a function gets lists as locals, because looking a
member up costs more than arithmetic does.
"""

from __future__ import annotations

import textwrap
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
    Loop,
    Member,
    Num,
    Op,
    Pull,
    Push,
    Return,
    Rows,
    Set,
    reads,
    walk,
)
from .python_expressions import Expressions

ABREAST = 4


class PrinterPython(Expressions):
    """A program's text; see `Expressions` for the parameters."""

    def source(self) -> str:
        """Constants, tables and functions; the entry function is private, for a wrapper to call."""
        text = self.constants() + self.tables()
        return text + "".join(self.function(function) for function in self.functions.values())

    def start(self, owner: str) -> str:
        """An owner as a dict of what its members begin with."""
        pairs = [f'"{name}": {self._begin(member)}' for name, member in self.spec.members[owner].items()]
        lines = textwrap.wrap(", ".join(pairs), 100)
        return "\n".join(["{", *(f"        {line}" for line in lines), "    }"])

    def _begin(self, member: Member) -> str:
        value = self.number(member.start)
        return value if member.count is None else f"[{value}] * {member.count}"

    def constants(self) -> str:
        """The numbers that a program has names for."""
        lines = [
            f"{self.named(name)} = {self.number(value)}"
            for name, value in self.numbers.items()
            if name not in self.there
        ]
        return "\n".join(lines) + "\n" if lines else ""

    def tables(self) -> str:
        """Constant rows."""
        text = ""
        for name, table in self.spec.tables.items():
            columns = self._columns(name)
            if columns:
                rows = self._rows(name, range(len(table)), {})
                if columns == list(table.columns)[:1]:  # numbers alone: several a line
                    rows = [", ".join(rows[i : i + ABREAST]) for i in range(0, len(rows), ABREAST)]
                text += "\n".join(
                    [
                        f"{name}{self.suffix.upper()} = (  # {', '.join(columns)}",
                        *(f"    {row}," for row in rows),
                        ")",
                        "",
                    ]
                )
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
                    cells.append(self.number(table.columns[column][i]))
            rows.append(cells[0] if len(cells) == 1 else _tuple(cells))
        return rows

    # Functions

    def function(self, function: Function) -> str:
        """One function."""
        entry = function.name == self.spec.entry
        self.current = function
        self.alias = {}
        taken = {
            self.own.partition("(")[0],
            *function.kinds,
            *function.params,
            *(member for owner, member in function.uses if owner in PLAIN),
        }
        ahead = []
        for owner, member in sorted(
            {(cell.owner, cell.member) for cell in walk(function.body) if isinstance(cell, Cell)}
        ):
            if owner not in PLAIN and self.spec.members[owner][member].count is not None:
                self.alias[owner, member] = member + "_" * (member in taken)
                ahead.append(f'    {self.alias[owner, member]} = {owner}["{member}"]')
        if entry:
            ahead = [
                f"    {name} = {self._begin(member)}" for name, member in self.spec.members.get("work", {}).items()
            ] + ahead
        uses = [member or owner for owner, member in function.uses if not (owner == "work" and entry)]
        head = f"\n\ndef _{function.name}{self.suffix}({', '.join([*uses, *function.params])}):\n"
        says = f'    """{function.says}"""\n' if function.says else ""
        return head + says + "\n".join([*ahead, *self.block(function.body, 1)]) + "\n"

    def block(self, body: list[Any], depth: int) -> list[str]:
        """Statements, indented."""
        pad = "    " * depth
        lines = []
        for node in body:
            lines += [f"{pad}# {comment}" for comment in getattr(node, "above", ())]
            result = [pad + line for line in self.statement(node)]
            if getattr(node, "behind", "") and result:
                result[0] += f"  # {node.behind}"
            lines += result
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
            count = (
                table
                if node.outer and not columns
                else f"len({table})"
                if node.outer
                else len(self.spec.table(node.table))
            )
            return f"for {node.index if counts else '_'} in range({count}):"
        if not counts:
            return f"for {names} in {table}:"
        return f"for {node.index}, {f'({names})' if len(columns) > 1 else names} in enumerate({table}):"


def _tuple(cells: list[str]) -> str:
    return f"({', '.join(cells)}{',' * (len(cells) == 1)})"
