"""Expressions of a program in Python, and the names of what they touch."""

from __future__ import annotations

from typing import Any

from .nodes import PLAIN, Call, Cell, Column, Function, Logic, Name, Num, Op, Pick, Rows, Spec, walk

STRENGTH = {"or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "|": 5, "&": 6, "<<": 7,
            ">>": 7, "+": 8, "-": 8, "*": 9, "/": 9, "//": 9}  # fmt: skip
ATOM, UNARY = 20, 10
SHIFTS = (">>", "<<", "|", "&")
RISING = ("<", "<=")


class Expressions:
    """What a printer of Python knows of a program.

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

    def __init__(
        self,
        functions: dict[str, Function],
        spec: Spec,
        suffix: str = "",
        there: frozenset[str] = frozenset(),
        own: str = "",
    ) -> None:
        self.functions, self.spec, self.suffix, self.there, self.own = functions, spec, suffix, there, own
        self.current = functions[spec.entry]
        self.alias: dict[tuple[str, str], str] = {}
        nodes = [node for function in functions.values() for node in walk(function.body)]
        self.columns = {(node.table, node.column) for node in nodes if isinstance(node, Column)}
        self.inner = {node.table for node in nodes if isinstance(node, Rows) and node.outer}
        self.numbers = {node.name: node.value for node in nodes if isinstance(node, Num) and node.name}

    def expr(self, node: Any, strength: int = 0) -> str:
        """An expression, in brackets where it binds weaker than what is around it."""
        text, own = self.spell(node)
        return f"({text})" if own < strength else text

    def spell(self, node: Any) -> tuple[str, int]:
        """An expression and how strongly it binds."""
        match node:
            case Num(value, name):
                text = self.named(name) if name else self.number(value)
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
                uses = [member or owner for owner, member in self.functions[name].uses]
                return f"{self.called(name)}({', '.join([*uses, *map(self.expr, args)])})", ATOM
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
            second: Any = rest[0] if rest else None
            if op == "and" and _rising(first) and _rising(second) and first.b == second.a:
                rest.pop(0)
                texts.append(
                    f"{self.expr(first.a, 5)} {first.op} {self.expr(first.b, 5)} {second.op} {self.expr(second.b, 5)}"
                )
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
        words = {"size": "abs", "exponential": "exp", "whole": "int"}
        return f"{words[name]}({', '.join(map(self.expr, args))})", ATOM

    def named(self, name: str) -> str:
        """What a number is called."""
        return name if name in self.there else f"{name}{self.suffix.upper()}"

    def number(self, value: Any) -> str:
        """A constant that reads back exactly."""
        return "NAN" if value != value else repr(value)


def _rising(node: Any) -> bool:
    return isinstance(node, Op) and node.op in RISING
