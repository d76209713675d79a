"""Which command to type next, with every option that the table was found to need."""

from __future__ import annotations

import shlex

from edge_lasso.tables.described import Column

LONG = (("entity_id", "state", "last_changed"), ("_field", "_value", "_time"), ("id", "value", "time"))
"""Names of the columns of tables with one reading a row, as exports have them."""


def typed_option(name: str, value: str) -> str:
    """An option as it is typed, with a blank before it."""
    return f" --{name}{'=' if value[:1] == '-' else ' '}{shlex.quote(value)}"


def next_commands(
    columns: list[Column], data: str, target: str | None, time: str | None, about: str, every: str
) -> list[str]:
    """What to type next.

    Parameters
    ----------
    columns : list of Column
    data : str
        The table, and the options that it was read with.
    target : str or None
    time : str or None
        Column of times, or two with a comma between them.
    about : str
        Options that say so, where `data` does not.
    every : str
        How often rows of a long table are worth having.
    """
    names = {column.name for column in columns}
    for triple in LONG:
        if names.issuperset(triple):
            return [f"edge-lasso check {data} --long {','.join(triple)} --every {every}"]
    marks = dict.fromkeys(f"{value:g}" for column in columns for value, _ in column.sentinels)
    about += typed_option("missing", ",".join(marks)) if marks else ""
    others = [column for column in columns if column.name not in (target, *(time or "").split(","))]
    away = [column.name for column in others if column.kind in ("text", "times")]
    words = [column.name for column in others if column.kind == "categories"]
    if target is None:
        return [
            f"edge-lasso check {data} --target COLUMN{about}",
            f"edge-lasso watch {data}{about}{_listed('drop', [*away, *words])}",
        ]
    kind = next(column.kind for column in columns if column.name == target)
    if kind not in ("numbers", "yes or no", "categories"):
        return []
    about += _listed("categorical", words) + _listed("drop", away)
    command = "train" if kind == "numbers" else "classify"
    return [f"edge-lasso {command} {data}{typed_option('target', target)}{about} --holdout 0.2"]


def _listed(option: str, names: list[str]) -> str:
    """An option that takes names; a pattern for what would be cut at its comma."""
    return typed_option(option, ",".join(name.replace(",", "?") for name in names)) if names else ""
