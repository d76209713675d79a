"""The nodes of a program that has been read: expressions, statements, functions, and what a model gives them.

Expressions are frozen, so that equal ones compare equal; statements are not, because typing and pruning change them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

COMPARE = frozenset(("==", "!=", "<", "<=", ">", ">="))
OWNERS = ("state", "given", "work", "out")
"""What a function may be handed besides numbers; artifacts hand on the arrays of `PLAIN` one by one."""
PLAIN = ("given", "work")
INTRINSICS = frozenset((
    "clip", "largest", "size", "bit", "missing", "exponential", "whole", "floored", "within",
    "dense", "sums", "decoded", "probability",
))  # fmt: skip
"""Functions that every printer knows; the last four are the artifact's own `predict` and what belongs to it."""


@dataclass(frozen=True)
class Num:
    """A number; `name` is what the program calls it."""

    value: Any
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Name:
    """A local, a parameter, or a loop's variable."""

    name: str


@dataclass(frozen=True)
class Cell:
    """A member of an owner, or an element of one that is an array."""

    owner: str
    member: str
    index: Any = None


@dataclass(frozen=True)
class Column:
    """A number of the row of a table that a loop is at."""

    row: str
    column: str
    table: str


@dataclass(frozen=True)
class Op:
    """Arithmetic or a comparison."""

    op: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Logic:
    """``and``, ``or`` or ``not``."""

    op: str
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Pick:
    """``a if test else b``."""

    test: Any
    a: Any
    b: Any


@dataclass(frozen=True)
class Call:
    """A function of the program, or one of `INTRINSICS`."""

    name: str
    args: tuple[Any, ...] = ()


@dataclass
class Set:
    """An assignment; comments stand above and behind it."""

    target: Any
    value: Any
    above: tuple[str, ...] = ()
    behind: str = ""


@dataclass
class Branch:
    """``if``."""

    test: Any
    body: list[Any]
    other: list[Any]
    above: tuple[str, ...] = ()
    behind: str = ""


@dataclass
class Loop:
    """``for index in range(stop)``, or from the last one down."""

    index: str
    stop: Any
    body: list[Any]
    down: bool = False
    start: Any = Num(0)
    above: tuple[str, ...] = ()


@dataclass
class Rows:
    """A loop over a table; `outer` names the row that the table is within."""

    index: str
    row: str
    table: str
    body: list[Any]
    outer: str = ""
    above: tuple[str, ...] = ()


@dataclass
class Pull:
    """``row = at(TABLE, index)``."""

    row: str
    table: str
    index: Any
    above: tuple[str, ...] = ()


@dataclass
class Jump:
    """``break`` or ``continue``."""

    word: str


@dataclass
class Return:
    """``return``."""

    value: Any


@dataclass
class Push:
    """The first `count` elements of an array move on by a place; what was the last of them is gone."""

    cell: Cell
    count: int
    above: tuple[str, ...] = ()


@dataclass
class Do:
    """A call for what it does."""

    call: Call
    above: tuple[str, ...] = ()


@dataclass(frozen=True)
class Member:
    """What an owner holds: whole numbers from `low` to `high`, or numbers of the artifact's type.

    Parameters
    ----------
    low, high : int or None
        None: of the artifact's type.
    count : int or None
        Elements of an array.
    start : number
        What it begins with.
    says : str
        For the reader of an artifact.
    each : tuple of (int, int)
        Per element its ends, where they differ.
    none : int or None
        A whole number beyond the ends that stands for nothing.
    per : str
        What its elements are of, where an artifact has a name for that: "READINGS", "OUTPUTS".
    """

    low: int | None
    high: int | None
    count: int | None = None
    start: Any = 0
    says: str = ""
    each: tuple[tuple[int, int], ...] = ()
    none: int | None = None
    per: str = ""

    @property
    def real(self) -> bool:
        """Whether it is of the artifact's type."""
        return self.low is None


@dataclass
class Table:
    """Constant rows: columns of numbers, and tables within, each with how many of its rows belong to which row."""

    columns: dict[str, list[Any]]
    within: dict[str, tuple[list[int], Table]] = field(default_factory=dict)

    def __len__(self) -> int:
        lists = [*self.columns.values(), *(counts for counts, _ in self.within.values())]
        return len(lists[0]) if lists else 0


@dataclass
class Function:
    """A function of a program, as a model needs it.

    Parameters
    ----------
    name : str
    params : list of str
        Numbers that it is handed; what is the same in every call is not among them.
    body : list
    says : str
        Its docstring.
    uses : list of (owner, member)
        What it touches, by itself or in what it calls; the member is "" where the owner is handed on whole.
    kinds : dict
        Local to "int", "real", "bits", "bool" or "index".
    returns : str
        The kind of what it returns; "" for nothing.
    """

    name: str
    params: list[str]
    body: list[Any]
    says: str = ""
    uses: list[tuple[str, str]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    returns: str = ""


@dataclass
class Spec:
    """What a model gives a program.

    Parameters
    ----------
    numbers : dict
        The names in capitals that are numbers (or the name of a choice, such as a chart).
    tables : dict of str to Table
        The names in capitals that are tables; one that is not there has no rows.
    members : dict of str to dict of str to Member
        Per owner.
    entry : str
        The function that an artifact offers.
    """

    numbers: dict[str, Any]
    tables: dict[str, Table]
    members: dict[str, dict[str, Member]]
    entry: str = "step"

    def table(self, name: str) -> Table:
        """A table; one within another is called ``OUTER.name``."""
        first, *more = name.split(".")
        table = self.tables[first]
        for part in more:
            table = table.within[part][1]
        return table

    def column(self, node: Column) -> list[Any]:
        """All values of a column."""
        return self.table(node.table).columns[node.column]


def walk(node: Any) -> Iterator[Any]:
    """Every node, from the outside in."""
    if isinstance(node, (list, tuple)):
        for part in node:
            yield from walk(part)
    elif is_dataclass(node):
        yield node
        for part in fields(node):
            yield from walk(getattr(node, part.name))


def reads(node: Any, name: str) -> bool:
    """Whether a local is named anywhere in it."""
    return any(isinstance(part, Name) and part.name == name for part in walk(node))
