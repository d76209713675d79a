"""Calls that cost more than what they do: a function that one loop calls, and nothing else, is written into the loop.

Where a language is interpreted, functions that are one expression are written where they are used, too.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

from .fold import combine
from .nodes import Call, Column, Function, Loop, Name, Num, Op, Pull, Return, Rows, Set, walk

Functions = dict[str, Function]


def inlined(functions: Functions, entry: str, expressions: bool) -> Functions:
    """The same functions, some of them written into others.

    Parameters
    ----------
    functions : dict of str to Function
        In the order in which they call each other.
    entry : str
        Stays.
    expressions : bool
        Whether functions of one expression go, too.
    """
    for name in [name for name in functions if name != entry]:
        callee = functions[name]
        calls = [
            node
            for function in functions.values()
            for node in walk(function.body)
            if isinstance(node, Call) and node.name == name
        ]
        if (
            expressions
            and len(callee.body) == 1
            and isinstance(callee.body[0], Return)
            and all(_cheap(call, callee) for call in calls)
        ):
            for function in functions.values():
                function.body = _replaced(function.body, callee)
            functions = {key: function for key, function in functions.items() if key != name}
        elif len(calls) == 1 and _ends_once(callee):
            caller = next(
                function for function in functions.values() if any(node is calls[0] for node in walk(function.body))
            )
            if _written(caller, callee, calls[0], False):
                functions = {key: function for key, function in functions.items() if key != name}
    return functions


def _ends_once(function: Function) -> bool:
    returns = [node for node in walk(function.body) if isinstance(node, Return)]
    return len(returns) == 1 and function.body[-1] is returns[0]


def _cheap(call: Call, callee: Function) -> bool:
    """Whether an argument that is used twice costs nothing."""
    names = [node.name for node in walk(callee.body) if isinstance(node, Name)]
    simple = (Name, Num, Column)
    return all(
        isinstance(arg, simple) or names.count(param) <= 1 for param, arg in zip(callee.params, call.args, strict=True)
    )


def _replaced(node: Any, callee: Function) -> Any:
    """A tree with calls of a one-expression function replaced by it."""
    if isinstance(node, list):
        return [_replaced(part, callee) for part in node]
    if isinstance(node, tuple):
        return tuple(_replaced(part, callee) for part in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changed = replace(node, **{part.name: _replaced(getattr(node, part.name), callee) for part in fields(node)})
    if isinstance(changed, Call) and changed.name == callee.name:
        return renamed(callee.body[0].value, dict(zip(callee.params, changed.args, strict=True)), {})
    return changed


def _written(caller: Function, callee: Function, call: Call, within: bool, body: list[Any] | None = None) -> bool:
    """Write a callee into the loop where its call is what a local is set to; whether that was possible."""
    body = caller.body if body is None else body
    for at, node in enumerate(body):
        if within and isinstance(node, Set) and node.value is call and isinstance(node.target, Name):
            own = {part.name for part in walk(callee.body) if isinstance(part, Name)} - set(callee.params)
            own |= {part.row for part in walk(callee.body) if isinstance(part, (Rows, Pull))}
            taken = {part.name for part in walk(caller.body) if isinstance(part, Name)} | set(caller.params)
            taken |= {part.row for part in walk(caller.body) if isinstance(part, (Rows, Pull))}
            rows = {name: f"{name}_" for name in own & taken if Name(name) != node.target}
            values = dict(zip(callee.params, call.args, strict=True))
            if any(isinstance(part, Set) and part.target in map(Name, callee.params) for part in walk(callee.body)):
                return False  # a parameter that is changed
            lines = renamed(callee.body, {**values, **{old: Name(new) for old, new in rows.items()}}, rows)
            last = lines.pop()
            if not (isinstance(last.value, Name) and last.value == node.target):
                lines.append(Set(node.target, last.value))
            lines[0].above = (*node.above, *([callee.says] if callee.says else []), *lines[0].above)
            body[at : at + 1] = lines
            return True
        loop = within or isinstance(node, (Rows, Loop))
        for part in ("body", "other"):
            inner = getattr(node, part, None)
            if inner and _written(caller, callee, call, loop, inner):
                return True
    return False


def renamed(node: Any, values: dict[str, Any], rows: dict[str, str]) -> Any:
    """A tree with parameters replaced by what they are, and locals and rows by other names."""
    if isinstance(node, list):
        return [renamed(part, values, rows) for part in node]
    if isinstance(node, tuple):
        return tuple(renamed(part, values, rows) for part in node)
    if isinstance(node, Name):
        return values.get(node.name, node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changes = {part.name: renamed(getattr(node, part.name), values, rows) for part in fields(node)}
    for key in ("row", "index", "outer"):
        if isinstance(changes.get(key), str):
            changes[key] = rows.get(changes[key], changes[key])
    if isinstance(node, Op):
        return combine(node.op, changes["a"], changes["b"])
    return replace(node, **changes)
