"""Where the locals of a function are declared, in languages with blocks."""

from __future__ import annotations

from typing import Any

from .nodes import Function, Loop, Name, Rows, Set, reads, walk


def locals_of(body: list[Any], known: set[str], function: Function) -> dict[str, bool]:
    """Locals whose uses are all in this block and not in one of its parts alone; whether they are set first."""
    loops = {node.index for node in walk(function.body) if isinstance(node, (Loop, Rows))}
    table = {}
    for name in dict.fromkeys(node.name for node in walk(body) if isinstance(node, Name)):
        if name in known or name in loops or name not in function.kinds:
            continue
        holders = [node for node in body if reads(node, name)]
        outer = holders[0]
        first = isinstance(outer, Set) and outer.target == Name(name) and not reads(outer.value, name)
        parts = [part for part in (getattr(outer, "body", []), getattr(outer, "other", [])) if reads(part, name)]
        heads = (getattr(outer, head, None) for head in ("test", "stop", "start"))
        inside = hasattr(outer, "body") and len(parts) == 1 and not any(reads(head, name) for head in heads)
        if first or len(holders) > 1 or not inside:
            table[name] = first
    return table


def set_once(function: Function, name: str) -> bool:
    """Whether a local is set once only."""
    sets = [node for node in walk(function.body) if isinstance(node, Set)]
    return [node.target for node in sets].count(Name(name)) == 1
