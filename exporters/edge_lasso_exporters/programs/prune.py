"""What a model does not need of a function: locals that nobody reads, branches that do nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .nodes import INTRINSICS, Branch, Call, Column, Do, Loop, Name, Pull, Rows, Set, walk


def living(body: list[Any]) -> list[Any]:
    """Without what sets a local, or fetches a row, that nobody reads."""
    counts = Counter(node.name for node in walk(body) if isinstance(node, Name))
    own: Counter[str] = Counter()  # as target, and where it is set from itself
    for node in walk(body):
        if isinstance(node, Set) and isinstance(node.target, Name):
            own[node.target.name] += sum(part == node.target for part in walk((node.target, node.value)))
    dead = {name for name, count in own.items() if counts[name] == count}
    return living(_without(body, dead)) if dead else _without(body, dead)


def _without(body: list[Any], dead: set[str]) -> list[Any]:
    alive: list[Any] = []
    for node in body:
        if isinstance(node, Set) and isinstance(node.target, Name) and node.target.name in dead:
            if isinstance(node.value, Call) and node.value.name not in INTRINSICS:
                alive.append(Do(node.value, node.above))  # for what it does
            continue
        if isinstance(node, Pull) and not any(isinstance(part, Column) and part.row == node.row for part in walk(body)):
            continue  # nobody in this block reads the row
        for part in ("body", "other"):
            if hasattr(node, part):
                setattr(node, part, _without(getattr(node, part), dead))
        empty = isinstance(node, (Branch, Loop, Rows)) and not node.body and not getattr(node, "other", [])
        if not empty:
            alive.append(node)
    return alive
