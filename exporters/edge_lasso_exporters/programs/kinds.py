"""What a local is: a whole number ("int"; "small" where a byte holds it), one of the artifact's type ("real"), a status
("bits"), true or false ("bool"), or a place in an array ("index").
"""

from __future__ import annotations

from typing import Any

from .nodes import (
    COMPARE,
    Call,
    Cell,
    Column,
    Function,
    Logic,
    Loop,
    Name,
    Num,
    Op,
    Pick,
    Return,
    Rows,
    Set,
    Spec,
    walk,
)

SMALL = 255
Functions = dict[str, Function]


def kind_of(node: Any, function: Function, functions: Functions, spec: Spec) -> str:
    """The kind of an expression."""

    def again(part: Any) -> str:
        return kind_of(part, function, functions, spec)

    match node:
        case Num(value):
            return "bool" if isinstance(value, bool) else "real" if isinstance(value, float) else "int"
        case Name(name):
            kind = function.kinds.get(name, "int")
            return "int" if kind == "small" else kind
        case Cell(owner, member):
            return "real" if spec.members[owner][member].real else "int"
        case Column():
            return "real" if isinstance(spec.column(node)[0], float) else "int"
        case Op(op, a, b):
            if op in COMPARE:
                return "bool"
            both = {again(a), again(b)}
            return next((kind for kind in ("bits", "real") if kind in both), "int")
        case Logic():
            return "bool"
        case Pick(_, a, b):
            both = {again(a), again(b)}
            return "real" if "real" in both else again(a)
        case Call("bit"):
            return "bits"
        case Call("missing" | "exponential" | "whole" | "decoded" | "probability"):
            return "real"
        case Call("floored"):
            return "int"
        case Call("clip" | "largest" | "size" | "within", args):
            return again(args[0])
        case Call(name):
            return functions[name].returns or "int"
    raise TypeError(node)


def infer(function: Function, functions: Functions, spec: Spec) -> None:
    """The kinds of locals and of what is returned; parameters take those of the arguments."""
    for caller in functions.values():
        for call in walk(caller.body):
            if isinstance(call, Call) and call.name == function.name:
                for param, arg in zip(function.params, call.args, strict=True):
                    function.kinds[param] = kind_of(arg, caller, functions, spec)
    for _ in range(2):  # a local may be set from one that is set behind it
        for node in walk(function.body):
            match node:
                case Set(Name(name), value):
                    kind = kind_of(value, function, functions, spec)
                    before = function.kinds.get(name)
                    if before in (None, "bool", "int", "small"):
                        function.kinds[name] = "int" if before == "int" and kind in ("bool", "index") else kind
                case Loop(index) | Rows(index):
                    function.kinds[index] = "index"
                case Return(value) if value is not None:
                    kind = kind_of(value, function, functions, spec)
                    function.returns = "int" if kind == "small" else kind
    _narrow(function)


def _either(value: Any) -> list[Any]:
    return [*_either(value.a), *_either(value.b)] if isinstance(value, Pick) else [value]


def _narrow(function: Function) -> None:
    """Locals that are ever only small constants, or places."""
    values: dict[str, list[Any]] = {}
    for node in walk(function.body):
        if isinstance(node, Set) and isinstance(node.target, Name):
            values.setdefault(node.target.name, []).extend(_either(node.value))
    for name, set_to in values.items():
        if function.kinds[name] != "int" or name in function.params:
            continue
        if all(isinstance(value, Num) and 0 <= value.value <= SMALL for value in set_to):
            function.kinds[name] = "small"
        elif all(
            value == Num(0) or (isinstance(value, Name) and function.kinds.get(value.name) == "index")
            for value in set_to
        ):
            function.kinds[name] = "index"
