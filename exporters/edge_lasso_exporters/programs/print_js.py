"""JavaScript (ES2020) from a program. Whole numbers stay below 2^31, so that plain numbers and ``>>`` do.

Tables are arrays of objects, state and result objects of numbers and arrays.
"""

from __future__ import annotations

import json
from typing import Any

from .nodes import (
    PLAIN,
    Branch,
    Call,
    Column,
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
    reads,
    walk,
)
from .python_expressions import UNARY, Expressions
from .scopes import locals_of, set_once

WORDS = {
    "size": "Math.abs", "exponential": "Math.exp", "whole": "Math.trunc", "floored": "Math.floor",
}  # fmt: skip
OPERATORS = {"==": "===", "!=": "!==", "and": "&&", "or": "||"}


def camel(name: str) -> str:
    """A name as JavaScript has it."""
    first, *rest = name.strip("_").split("_")
    return first + "".join(part.capitalize() for part in rest) + "_" * name.endswith("_")


class PrinterJS(Expressions):
    """A program's text; see `Expressions` for the parameters."""

    def source(self) -> str:
        """Constants, tables and functions; the entry is private, for a wrapper to call."""
        body = "".join(self.function(function) for function in self.functions.values())
        return "\n" + self.constants() + self.tables() + body

    def constants(self) -> str:
        """The numbers that a program has names for."""
        lines = [
            f"const {self.named(name)} = {self.number(value)};"
            for name, value in self.numbers.items()
            if name not in self.there
        ]
        return "\n".join(lines) + "\n" if lines else ""

    def number(self, value: Any) -> str:
        """A constant that reads back exactly."""
        return "NaN" if value != value else json.dumps(value)

    def tables(self) -> str:
        """Constant rows."""
        text = ""
        for name, table in self.spec.tables.items():
            if self._columns(name) or any(isinstance(node, Rows) and node.table == name for node in self._nodes()):
                rows = self._objects(name, range(len(table)), {})
                text += "\n".join([f"const {name}{self.suffix.upper()} = [", *(f"  {row}," for row in rows), "];", ""])
        return text

    def _nodes(self) -> list[Any]:
        return [node for function in self.functions.values() for node in walk(function.body)]

    def _columns(self, name: str) -> list[str]:
        table = self.spec.table(name)
        inner = [part for part in table.within if f"{name}.{part}" in self.inner]
        return [column for column in table.columns if (name, column) in self.columns] + inner

    def _objects(self, name: str, which: Any, at: dict[str, int]) -> list[str]:
        table, rows = self.spec.table(name), []
        for i in which:
            pairs = []
            for column in self._columns(name):
                if column in table.within:
                    inner = f"{name}.{column}"
                    first = at.get(inner, 0)
                    at[inner] = first + table.within[column][0][i]
                    value = f"[{', '.join(self._objects(inner, range(first, at[inner]), at))}]"
                else:
                    value = self.number(table.columns[column][i])
                pairs.append(f"{camel(column)}: {value}")
            rows.append("{" + ", ".join(pairs) + "}")
        return rows

    def start(self, owner: str) -> str:
        """An owner as an object of what its members begin with."""
        pairs = (f"    {camel(name)}: {self.begin(member)}," for name, member in self.spec.members[owner].items())
        return "\n".join(["{", *pairs, "  }"])

    def begin(self, member: Member) -> str:
        """What a member begins with."""
        value = self.number(member.start)
        return value if member.count is None else f"new Array({member.count}).fill({value})"

    # Functions and statements

    def function(self, function: Function) -> str:
        """One function."""
        self.current = function
        entry = function.name == self.spec.entry
        work = self.spec.members.get("work", {}) if entry else {}
        ahead = [f"const {camel(name)} = {self.begin(member)};" for name, member in work.items()]
        uses = [member or owner for owner, member in function.uses if not (owner == "work" and entry)]
        if entry:
            uses = ["state", *self.spec.members["given"], "out"]
        head = f"function {self.called(function.name)}({', '.join(map(camel, [*uses, *function.params]))})"
        says = f"/** {function.says} */\n" if function.says else ""
        return f"\n{says}{head} " + "\n".join(self.braces(function.body, set(function.params), ahead)) + "\n"

    def braces(self, body: list[Any], known: set[str], ahead: list[str] | None = None) -> list[str]:
        """A block: its locals, then its statements."""
        here = locals_of(body, known, self.current)
        later = [name for name, first in here.items() if not first]
        lines = [*(ahead or []), *(f"let {camel(name)};" for name in later)]
        declared = set(later)
        for node in body:
            lines += [f"// {comment}" for comment in getattr(node, "above", ())]
            target = node.target.name if isinstance(node, Set) and isinstance(node.target, Name) else ""
            results = self.statement(node, known | set(here))
            if target in here and target not in declared:
                declared.add(target)
                word = "const" if set_once(self.current, target) else "let"
                results = [f"{word} {camel(target)} = {self.expr(node.value)};"]  # type: ignore[union-attr]
            if getattr(node, "behind", "") and results:
                results[0] += f" // {node.behind}"
            lines += results
        return ["{", *(f"  {line}" for line in lines), "}"]

    def statement(self, node: Any, known: set[str]) -> list[str]:
        """A statement's lines."""
        match node:
            case Set(target, Op("+" | "-" | "*" as op, a, b)) if a == target:
                return [f"{self.expr(target)} {op}= {self.expr(b)};"]
            case Set(target, value):
                return [f"{self.expr(target)} = {self.expr(value)};"]
            case Branch(test, body, other):
                lines = self.headed(f"if ({self.expr(test)})", self.braces(body, known))
                if not other:
                    return lines
                chained = len(other) == 1 and isinstance(other[0], Branch) and not other[0].above
                more = self.statement(other[0], known) if chained else self.braces(other, known)
                return [*lines[:-1], f"}} else {more[0]}", *more[1:]]
            case Loop(index, stop, body, down, start):
                at = camel(index)
                head = f"for (let {at} = {self.expr(start)}; {at} < {self.expr(stop)}; {at}++)"
                if down:
                    head = f"for (let {at} = {self.expr(stop)}; {at}-- > 0; )"
                return self.headed(head, self.braces(body, known))
            case Rows(index, row, table, body, outer):
                rows = f"{outer}.{table.rpartition('.')[2]}" if outer else f"{table}{self.suffix.upper()}"
                if not reads(body, index):
                    return self.headed(f"for (const {camel(row)} of {rows})", self.braces(body, known))
                used = any(getattr(part, "row", "") == row or getattr(part, "outer", "") == row for part in walk(body))
                ahead = [f"const {camel(row)} = {rows}[{index}];"] if used else []
                head = f"for (let {index} = 0; {index} < {rows}.length; {index}++)"
                return self.headed(head, self.braces(body, known, ahead))
            case Pull(row, table, index):
                return [f"const {camel(row)} = {table}{self.suffix.upper()}[{self.expr(index)}];"]
            case Jump(word):
                return [f"{word};"]
            case Return(value):
                return ["return;" if value is None else f"return {self.expr(value)};"]
            case Push(cell, count):
                return (
                    [f"{self.cell(cell.owner, cell.member, None)}.copyWithin(1, 0, {count - 1});"] if count > 1 else []
                )
            case Do(Call("sums", (q, r))):
                return [f"sums({q.member}, {r.member});"]
            case Do(call):
                return [f"{self.expr(call)};"]
        raise TypeError(node)

    def headed(self, head: str, block: list[str]) -> list[str]:
        """A block behind its head."""
        return [f"{head} {block[0]}", *block[1:]]

    # Expressions

    def spell(self, node: Any) -> tuple[str, int]:
        """An expression and how strongly it binds."""
        match node:
            case Name(name):
                return camel(name), 20
            case Column(row, column):
                return f"{camel(row)}.{camel(column)}", 20
            case Op("//", a, b):
                return f"Math.floor({self.expr(a, 9)} / {self.expr(b, 10)})", 20
        return super().spell(node)

    def cell(self, owner: str, member: str, index: Any) -> str:
        """A member, or an element of it."""
        base = camel(member) if owner in PLAIN else f"{owner}.{camel(member)}"
        return base if index is None else f"{base}[{self.expr(index)}]"

    def called(self, name: str) -> str:
        """The name of a function of the program."""
        return camel(f"{name}{self.suffix}") + "Row" * (name == self.spec.entry)

    def operator(self, op: str) -> str:
        """An operator."""
        return OPERATORS.get(op, op)

    def pick(self, test: str, a: str, b: str) -> str:
        """``a if test else b``."""
        return f"{test} ? {a} : {b}"

    def negated(self, a: Any) -> tuple[str, int]:
        """``not a``."""
        return f"!{self.expr(a, 20)}", UNARY

    def joined(self, op: str, parts: Any) -> tuple[str, int]:
        """``and`` and ``or``."""
        strength = {"or": 1, "and": 2}[op]
        return f" {OPERATORS[op]} ".join(self.expr(part, 4) for part in parts), strength

    def intrinsic(self, name: str, args: Any) -> tuple[str, int]:
        """What this language has for an intrinsic."""
        match name:
            case "clip":
                x, low, high = (self.expr(arg, 5) for arg in args)
                return f"{x} < {low} ? {low} : {x} > {high} ? {high} : {x}", 0
            case "largest":
                a, b = (self.expr(arg, 5) for arg in args)
                return f"{a} > {b} ? {a} : {b}", 0
            case "missing":
                return "NaN", 20
            case "decoded":
                return f"decode({self.expr(args[0])}, {self.expr(args[1])})", 20
            case "probability":
                return f"probability({self.expr(args[0])}) / 65536", 9
            case "within":
                return self.spell(args[0])
            case "bit":
                return f"1 << {self.expr(args[0], 20)}", 7
        words = {
            "size": "Math.abs",
            "exponential": "Math.exp",
            "whole": "Math.trunc",
            "floored": "Math.floor",
        }
        return f"{words[name]}({', '.join(map(self.expr, args))})", 20
