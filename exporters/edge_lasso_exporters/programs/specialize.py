"""The front end: reads a program with `ast` and folds what a model does not have.

The subset: numbers, locals, ``if``, ``while``, ``for k in range(n)`` (``span(a, b)``, ``down(n)``), ``for k, row in
rows(TABLE)`` (``rows(row.terms)`` for a table within), ``row = at(TABLE, k)``, members and elements of `state`,
`given`, `work` and `out`, the module's own functions, and the intrinsics of `running`. Names in capitals are numbers
or tables of the model. Branches on what is known vanish, a column that is the same in every row becomes a number,
one that counts the rows becomes their number, a member that a model has not is neither read nor written, and an
argument that is the same in every call is no parameter. Comments and docstrings stay.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Sequence
from typing import Any

from .fold import combine, compare, logic
from .inline import inlined
from .kinds import infer
from .nodes import (
    INTRINSICS,
    OWNERS,
    PLAIN,
    Branch,
    Call,
    Cell,
    Column,
    Do,
    Function,
    Jump,
    Loop,
    Name,
    Num,
    Pick,
    Pull,
    Push,
    Return,
    Rows,
    Set,
    Spec,
    Table,
    reads,
    walk,
)
from .prune import living

OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.RShift: ">>", ast.LShift: "<<",
    ast.BitAnd: "&", ast.BitOr: "|", ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">",
    ast.GtE: ">=",
}  # fmt: skip
Known = dict[tuple[str, str], Num]


class ProgramError(SyntaxError):
    """A program leaves the subset."""


def specialize(text: str, spec: Spec, expressions: bool = False) -> dict[str, Function]:
    """Read a program for a model.

    Parameters
    ----------
    text : str
        Of the module.
    spec : Spec
    expressions : bool
        Whether functions of one expression are written where they are used (`inline`).

    Returns
    -------
    dict of str to Function
        In the order in which they call each other: the entry last.

    Raises
    ------
    ProgramError
        What is not in the subset, with its line.
    """
    known: Known = {}
    while True:
        reader = _Reader(text, spec, known)
        reader.function(spec.entry)
        more = {**reader.unread(), **reader.agreed()}
        if more.keys() <= known.keys():
            break
        known = {**known, **more}
    functions = {name: function for name, function in reader.functions.items() if function.body}
    functions = inlined(functions, spec.entry, expressions)
    for _ in range(2):  # callees tell what they return, callers what they give
        for function in (*functions.values(), *reversed(functions.values())):
            infer(function, functions, spec)
    return functions


class _Reader:
    """One pass over a program, with the parameters that are known from the passes before."""

    def __init__(self, text: str, spec: Spec, known: Known) -> None:
        self.spec, self.known = spec, known
        self.nodes = {node.name: node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
        self.alone, self.behind = _comments(text)
        self.functions: dict[str, Function] = {}
        self.given: dict[tuple[str, str], set[Any]] = {}
        self.rows: dict[str, tuple[str, Table, str]] = {}
        self.fixed: dict[str, Num] = {}

    def agreed(self) -> Known:
        """Parameters that are the same number in every call."""
        return {key: next(iter(values)) for key, values in self.given.items()
                if len(values) == 1 and isinstance(next(iter(values)), Num)}  # fmt: skip

    def unread(self) -> Known:
        """Parameters that nothing reads."""
        return {
            (function.name, name): Num(0)
            for function in self.functions.values()
            for name in function.params
            if not any(isinstance(node, Name) and node.name == name for node in walk(function.body))
        }

    def params(self, name: str) -> list[str]:
        """What a function is handed besides owners."""
        return [arg.arg for arg in self.nodes[name].args.args if arg.arg not in OWNERS]

    def function(self, name: str) -> None:
        """Read a function, and before it those that it calls."""
        if name in self.functions:
            return
        if name not in self.nodes:
            raise ProgramError(f"a program has no function {name!r}")
        node, params = self.nodes[name], self.params(name)
        function = Function(name, [param for param in params if (name, param) not in self.known], [])
        function.says = (ast.get_docstring(node) or "").split("\n\n")[0]
        self.functions[name] = function
        before = self.rows, self.fixed
        self.rows, self.fixed = {}, {param: self.known[name, param] for param in params if (name, param) in self.known}
        function.body = living(self.block(node.body))
        self.rows, self.fixed = before
        used = {(cell.owner, cell.member if cell.owner in PLAIN else "")
                for cell in walk(function.body) if isinstance(cell, Cell)}  # fmt: skip
        for call in walk(function.body):
            if isinstance(call, Call) and call.name in self.functions:
                used.update(self.functions[call.name].uses)
        function.uses = sorted(used, key=lambda use: (OWNERS.index(use[0]), use[1]))
        self.functions[name] = self.functions.pop(name)  # behind what it calls

    # Statements

    def block(self, nodes: Sequence[ast.stmt]) -> list[Any]:
        """Statements up to a jump."""
        values: list[Any] = []
        for node in nodes:
            result = self.statement(node)
            if result and hasattr(result[0], "above"):
                result[0].above = tuple(self._above(node)) + tuple(result[0].above)
            if result and node.lineno in self.behind and hasattr(result[0], "behind"):
                result[0].behind = self.behind[node.lineno]
            values += result
            if values and isinstance(values[-1], (Jump, Return)):
                break
        return values

    def _above(self, node: ast.stmt) -> list[str]:
        lines: list[str] = []
        at = node.lineno - 1
        while at in self.alone:
            lines.insert(0, self.alone[at])
            at -= 1
        return lines

    def statement(self, node: ast.stmt) -> list[Any]:
        """A statement as nodes: none where a model does not have it, several where a branch is known."""
        match node:
            case ast.Expr(ast.Constant()):
                return []
            case ast.Assign(
                [ast.Attribute(ast.Name(owner), name) | ast.Subscript(ast.Attribute(ast.Name(owner), name))]
            ):
                if owner in OWNERS and name not in self.spec.members.get(owner, {}):
                    return []  # what is written there is never read
                return [Set(self.expr(node.targets[0]), self.expr(node.value))]
            case ast.Assign([ast.Name(row)], ast.Call(ast.Name("at"), [ast.Name(table), place])):
                self.rows[row] = (table, self.spec.tables[table], "")
                return [Pull(row, table, self.expr(place))]
            case ast.Assign([ast.Name(name)], value):
                return _spelled(Name(name), self.expr(value))
            case ast.AugAssign(target, op, value):
                if isinstance(target, ast.Attribute) and target.attr not in self.spec.members[target.value.id]:  # type: ignore[attr-defined]
                    return []
                cell = self.expr(target)
                changed = combine(OPERATORS[type(op)], cell, self.expr(value))
                return [] if changed == cell else [Set(cell, changed)]
            case ast.If(test, body, other):
                known = self.expr(test)
                if isinstance(known, Num):
                    return self.block(body if known.value else other)
                return [Branch(known, self.block(body), self.block(other))]
            case ast.For(ast.Name(index), ast.Call(ast.Name("range" | "down" as way), [stop]), body):
                return [Loop(index, self.expr(stop), self.block(body), way == "down")]
            case ast.For(ast.Name(index), ast.Call(ast.Name("span"), [first, stop]), body):
                return [Loop(index, self.expr(stop), self.block(body), start=self.expr(first))]
            case ast.For(ast.Tuple([ast.Name(index), ast.Name(row)]), ast.Call(ast.Name("rows"), [source]), body):
                return self.loop(index, row, source, body)
            case ast.Break():
                return [Jump("break")]
            case ast.Continue():
                return [Jump("continue")]
            case ast.Return(value):
                return [Return(self.expr(value) if value else None)]
            case ast.Expr(ast.Call(ast.Name("push"), [cell, count])):
                return [Push(self.expr(cell), self.expr(count).value)]
            case ast.Expr(ast.Call(ast.Name(name)) as call):
                result = self.expr(call)
                return [Do(result)] if name in INTRINSICS or self.functions[name].body else []
        raise ProgramError(f"line {node.lineno}: {ast.unparse(node)} is not in the subset")

    def loop(self, index: str, row: str, of: ast.expr, body: Sequence[ast.stmt]) -> list[Any]:
        """A loop over a table; nothing where a model has no such rows."""
        outer = ""
        if isinstance(of, ast.Name):
            name, table = of.id, self.spec.tables.get(of.id, Table({}))
        elif isinstance(of, ast.Attribute) and isinstance(of.value, ast.Name):
            outer = of.value.id
            name = f"{self.rows[outer][0]}.{of.attr}"
            table = self.rows[outer][1].within[of.attr][1]
        else:
            raise ProgramError(f"line {of.lineno}: {ast.unparse(of)} is no table")
        if not len(table):
            return []
        self.rows[row] = (name, table, index)
        if len(table) == 1 and not outer and not table.within and not _jumps(body):  # no loop
            before = self.fixed
            self.fixed = {**before, index: Num(0)}
            result = self.block(body)
            self.fixed = before
            return result
        return [Rows(index, row, name, self.block(body), outer)]

    # Expressions

    def expr(self, node: ast.expr) -> Any:
        """An expression as a node, folded."""
        match node:
            case ast.Constant(value):
                return Num(value)
            case ast.Name(name) if name.isupper():
                if name not in self.spec.numbers:
                    raise ProgramError(f"line {node.lineno}: the model has no number {name}")
                return Num(self.spec.numbers[name], name)
            case ast.Name(name):
                return self.fixed.get(name, Name(name))
            case ast.Attribute(ast.Name(owner), name) if owner in OWNERS:
                return Cell(owner, name)
            case ast.Subscript(ast.Attribute(ast.Name(owner), name), index):
                return Cell(owner, name, self.expr(index))
            case ast.Attribute(ast.Name(row), column):
                name, table, at = self.rows[row]
                values = table.columns[column]
                if len(set(map(repr, values))) == 1:
                    return Num(values[0])
                counts = at and "." not in name and isinstance(values[0], int) and values == list(range(len(values)))
                return Name(at) if counts else Column(row, column, name)
            case ast.BinOp(a, op, b) if type(op) in OPERATORS:
                return combine(OPERATORS[type(op)], self.expr(a), self.expr(b))
            case ast.Compare(first, ops, rest):
                terms = [self.expr(term) for term in (first, *rest)]
                pairs = zip(ops, terms, terms[1:], strict=False)
                return logic("and", [compare(OPERATORS[type(op)], x, y) for op, x, y in pairs])
            case ast.BoolOp(op, values):
                return self.all_or_any("and" if isinstance(op, ast.And) else "or", values)
            case ast.UnaryOp(ast.Not(), a):
                return logic("not", [self.expr(a)])
            case ast.UnaryOp(ast.USub(), a):
                value = self.expr(a)
                return Num(-value.value) if isinstance(value, Num) and not value.name else combine("-", Num(0), value)
            case ast.IfExp(test, a, b):
                known = self.expr(test)
                if isinstance(known, Num):
                    return self.expr(a if known.value else b)
                return Pick(known, self.expr(a), self.expr(b))
            case ast.Call(ast.Name(name), args):
                return self.call(name, args)
        raise ProgramError(f"line {node.lineno}: {ast.unparse(node)} is not in the subset")

    def all_or_any(self, op: str, nodes: Sequence[ast.expr]) -> Any:
        """``and`` and ``or``, read up to the first part that decides."""
        parts = []
        for node in nodes:
            parts.append(self.expr(node))
            if isinstance(parts[-1], Num) and bool(parts[-1].value) == (op == "or"):
                break
        return logic(op, parts)

    def call(self, name: str, args: Sequence[ast.expr]) -> Call:
        """A call of an intrinsic or of a function of the program."""
        values = tuple(self.expr(arg) for arg in args if not (isinstance(arg, ast.Name) and arg.id in OWNERS))
        if name in INTRINSICS:
            return Call(name, values)
        if name not in self.nodes:
            raise ProgramError(f"a program has no function {name!r}")
        params = self.params(name)
        for param, value in zip(params, values, strict=True):
            self.given.setdefault((name, param), set()).add(value)
        self.function(name)
        return Call(
            name, tuple(value for param, value in zip(params, values, strict=True) if (name, param) not in self.known)
        )


def _jumps(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, (ast.Break, ast.Continue)) for part in body for node in ast.walk(part))


def _spelled(target: Name, value: Any) -> list[Any]:
    """An assignment; an intrinsic that names its first argument twice gets it by name."""
    if value == target:
        return []
    if isinstance(value, Call) and value.name in ("clip", "largest", "size"):
        first, *rest = value.args
        if not isinstance(first, (Name, Num, Column)) and not any(reads(part, target.name) for part in rest):
            return [Set(target, first), Set(target, Call(value.name, (target, *rest)))]
    return [Set(target, value)]


def _comments(text: str) -> tuple[dict[int, str], dict[int, str]]:
    """Comments by line: those that stand alone, those behind a statement."""
    alone: dict[int, str] = {}
    behind: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            kind = alone if not token.line[: token.start[1]].strip() else behind
            kind[token.start[0]] = token.string.lstrip("# ")
    return alone, behind
