"""What other distributions bring: modules by entry point, imported when they are asked for and not before."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def brought(group: str) -> dict[str, Any]:
    """The entry points of a group (``edge_lasso.sessions``, ``edge_lasso.sections``) by name."""
    from importlib.metadata import entry_points

    every: Any = entry_points()
    entries = every.select(group=group) if hasattr(every, "select") else every.get(group, ())  # Python 3.9
    return {entry.name: entry for entry in entries}
