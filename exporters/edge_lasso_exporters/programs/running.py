"""A program as it stands, run by Python: the numbers and tables of a model under the names that it uses.

What a program may call is here, too; each printer has these intrinsics in its own language.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .lemmas import LEMMAS
from .nodes import Spec, Table


def clip(value: Any, low: Any, high: Any) -> Any:
    """A number cut to its ends."""
    return low if value < low else high if value > high else value


def floored(value: float) -> int:
    """The next whole number below."""
    return int(value // 1.0)


def largest(a: Any, b: Any) -> Any:
    """The larger of two."""
    return a if a > b else b


def bit(k: int) -> int:
    """A status with one bit set."""
    return 1 << k


def missing() -> float:
    """What stands for a reading that is not there."""
    return math.nan


def within(value: Any, a: Any, b: Any, lemma: str) -> Any:
    """The value, which by a lemma (`lemmas`) is never beyond both of the others.

    Raises
    ------
    AssertionError
        It is.
    """
    assert lemma in LEMMAS, lemma
    assert min(a, b) <= value <= max(a, b), f"{value} is not between {a} and {b}: {LEMMAS[lemma]}"
    return value


def push(values: list[Any], count: int) -> None:
    """The first `count` elements move on by a place."""
    values[1:count] = values[: count - 1]


def down(count: int) -> Iterator[int]:
    """From `count` - 1 to 0."""
    return iter(range(count - 1, -1, -1))


def span(first: int, stop: int) -> range:
    """From `first` to `stop` - 1."""
    return range(first, stop)


def at(table: list[SimpleNamespace], index: int) -> SimpleNamespace:
    """One row of a table."""
    return table[index]


def rows(table: list[SimpleNamespace]) -> Iterator[tuple[int, SimpleNamespace]]:
    """The rows of a table with their numbers."""
    return enumerate(table)


WORDS = {
    "clip": clip, "largest": largest, "size": abs, "bit": bit, "missing": missing, "exponential": math.exp,
    "within": within, "push": push, "down": down, "span": span, "at": at, "rows": rows,
    "whole": int, "floored": floored,
}  # fmt: skip


PROGRAMS = {
    "step": ("step",),
    "step_q": ("average", "step_q"),
    "step_fixed": ("average", "step", "step_fixed"),
}
"""Programs by name: the files they are made of; a function replaces one of the same name before it."""


def source(program: str) -> str:
    """The text of a program."""
    files = (Path(__file__).parent / f"{name}.py" for name in PROGRAMS[program])
    return "\n\n".join(path.read_text(encoding="utf-8") for path in files)


def runnable(program: str, spec: Spec, **more: Callable[..., Any]) -> Callable[..., Any]:
    """The entry function of a program with a model's numbers: ``step(state, given, work, out)``.

    `more`: functions that an artifact has besides (``sums``, ``decoded``, ``probability``).
    """
    absent: dict[str, list[Any]] = {name: [] for name in _tables(program) if name not in spec.tables}
    scope = {**WORDS, **more, **spec.numbers, **absent, **{name: _rows(table) for name, table in spec.tables.items()}}
    exec(compile(source(program), f"{program}.py", "exec"), scope)
    entry: Callable[..., Any] = scope[spec.entry]
    return entry


def memory(spec: Spec, owner: str) -> SimpleNamespace:
    """An owner with what its members start with."""
    members = spec.members.get(owner, {}).items()
    return SimpleNamespace(
        **{
            name: member.start if member.count is None else [member.start for _ in range(member.count)]
            for name, member in members
        }
    )


def _tables(program: str) -> set[str]:
    return {part.split(")")[0] for part in source(program).split(" in rows(")[1:] if part[0].isupper()}


def _rows(table: Table) -> list[SimpleNamespace]:
    namespaces = [
        SimpleNamespace(**{name: values[i] for name, values in table.columns.items()}) for i in range(len(table))
    ]
    for name, (counts, inner) in table.within.items():
        whole, at = _rows(inner), 0
        for row, count in zip(namespaces, counts, strict=True):
            setattr(row, name, whole[at : at + count])
            at += count
    return namespaces
