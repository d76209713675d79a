"""The model: what it is made of, and nothing about files (see `format.py`) or arithmetic (see `predict.py`).

Plain classes with slots: `dataclasses` and `typing` cost tens of milliseconds at import on a Pi Zero.
Objects are never changed after they are made; `replace` returns a changed copy.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Self = TypeVar("Self", bound="Record")

LINKS = ("identity", "logistic", "softmax", "exp")
POLICIES = ("extrapolate", "clamp")
STREAMS = ("lag", "difference", "mean", "ewma")
READING_LIMIT = 2.0**100
FLOAT32_ROOM = 2.0**127
EXP_ROOM = 80.0
"""The link exp takes a linear predictor beyond this as this: e^80 and e^-80 are still normal in float32."""


class Record:
    """Equality, `repr` and `replace` over `__slots__`."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    def replace(self: Self, **changes: Any) -> Self:
        """Return a copy with the named fields changed."""
        return type(self)(**{**self._fields(), **changes})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and type(self) is type(other) and self._fields() == other._fields()

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> dict[str, Any]:
        """For pickle's oldest protocols and skops: slots alone they do not see."""
        return self._fields()

    def __setstate__(self, state: dict[str, Any]) -> None:
        type(self).__init__(self, **state)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields().items())
        return f"{type(self).__name__}({fields})"


class Input(Record):
    """One reading that the model uses.

    Parameters
    ----------
    name : str
        The column's name in the training table.
    column : int
        Its position in `Model.columns`.
    default : float or None
        Used when the reading is missing: the training mean. None for a categorical input, where a missing
        reading is none of the categories.
    low, high : float or None
        Range seen in training (or declared); None for a categorical input.
    unit : str
    categories : tuple of str, or None
        The values of a categorical input. A row carries the index into this tuple as a number,
        a mapping the value itself.
    raw : (scale, offset) or None
        ``value = scale * count + offset`` for a sensor that delivers integer counts.
    stream : (kind, source, length) or None
        A value that the board computes from what another input (`source`, by name) read before; see `stream.py`.
        Such an input is no reading: ``step`` computes it, ``predict`` takes it as it is given.
    """

    __slots__ = ("categories", "column", "default", "high", "low", "name", "raw", "stream", "unit")

    def __init__(
        self,
        name: str,
        column: int,
        default: float | None,
        low: float | None,
        high: float | None,
        unit: str = "",
        categories: tuple[str, ...] | None = None,
        raw: tuple[float, float] | None = None,
        stream: tuple[str, str, int] | None = None,
    ) -> None:
        self.name = name
        self.column = column
        self.default = default
        self.low = low
        self.high = high
        self.unit = unit
        self.categories = categories
        self.raw = raw
        self.stream = stream


class Factor(Record):
    """One factor of a term: an input's value, or what is made of it.

    Parameters
    ----------
    input : int
        Position in `Model.inputs`.
    category : int or None
        Position in that input's `categories`: 1 where a categorical input has it, else 0.
    hinge : float or None
        ``input - hinge`` where the input is above it, else 0.
    step : float or None
        1 where the input is above it, else 0.
    """

    __slots__ = ("category", "hinge", "input", "step")

    def __init__(
        self, input: int, category: int | None = None, hinge: float | None = None, step: float | None = None
    ) -> None:
        self.input = input
        self.category = category
        self.hinge = hinge
        self.step = step

    @property
    def plain(self) -> bool:
        """Whether it is the input's value itself."""
        return self.category is None and self.hinge is None and self.step is None

    @property
    def knot(self) -> float | None:
        """Where a hinge or step begins."""
        return self.step if self.hinge is None else self.hinge

    def reach(self, reading: float) -> float:
        """The largest magnitude it can have where the reading's is at most this."""
        if self.category is not None or self.step is not None:
            return 1.0
        return reading + abs(self.hinge or 0.0)


class Term(Record):
    """A coefficient times a product of factors (one factor, almost always; a repeated one is a power)."""

    __slots__ = ("coef", "factors")

    def __init__(self, coef: float, factors: tuple[Factor, ...]) -> None:
        self.coef = coef
        self.factors = factors


class Output(Record):
    """``link(intercept + sum of terms)``."""

    __slots__ = ("intercept", "link", "name", "terms", "unit")

    def __init__(
        self, name: str, intercept: float, terms: tuple[Term, ...], link: str = "identity", unit: str = ""
    ) -> None:
        self.name = name
        self.intercept = intercept
        self.terms = terms
        self.link = link
        self.unit = unit


class Model(Record):
    """A sparse linear model in raw sensor units.

    Parameters
    ----------
    columns : tuple of str
        All columns of the training row, in order: what ``--inputs all`` artifacts take.
    inputs : tuple of Input
        Only those that a term or a derived input reads, or a detector watches, ordered by `Input.column`.
    outputs : tuple of Output
        One; several targets; one logistic (binary classification); or one softmax output per class. ``exp``: counts
        and amounts.
    policy : {"extrapolate", "clamp"}
        What happens to a finite reading outside its range.
    classes : tuple of str, or None
        The labels of a classifier: two with one logistic output, else one per output.
    sections : dict
        Versioned additions such as ``fixed_point/1``; part of what the model computes.
    provenance : dict
        How it was made. Not part of the hash.

    Attributes
    ----------
    limit : float
        A reading beyond this magnitude counts as missing: 2^100, or the largest smaller power of two with which no
        value of the model overflows float32 (large coefficients, products of inputs).
    """

    __slots__ = ("classes", "columns", "inputs", "limit", "outputs", "policy", "provenance", "sections")

    def __init__(
        self,
        columns: tuple[str, ...],
        inputs: tuple[Input, ...],
        outputs: tuple[Output, ...],
        policy: str = "extrapolate",
        classes: tuple[str, ...] | None = None,
        sections: dict[str, Any] | None = None,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        self.columns = columns
        self.inputs = inputs
        self.outputs = outputs
        self.policy = policy
        self.classes = classes
        self.sections = sections or {}
        self.provenance = provenance or {}
        self.limit = self._limit()

    def _fields(self) -> dict[str, Any]:
        fields = super()._fields()
        del fields["limit"]
        return fields

    @property
    def looks_back(self) -> bool:
        """Whether a row means nothing without those before it: an input is derived from them, or they set a score."""
        return "detector/1" in self.sections or any(feature.stream is not None for feature in self.inputs)

    @property
    def bent(self) -> bool:
        """Whether a term has a hinge or a step."""
        return any(
            factor.knot is not None for output in self.outputs for term in output.terms for factor in term.factors
        )

    @property
    def degree(self) -> int:
        """The largest number of factors in a term (0 for a constant model)."""
        return max((len(term.factors) for output in self.outputs for term in output.terms), default=0)

    def _limit(self) -> float:
        if self._fits_float32(READING_LIMIT):
            return READING_LIMIT
        fits, too_large = 0, 100
        while too_large - fits > 1:
            middle = (fits + too_large) // 2
            if self._fits_float32(2.0**middle):
                fits = middle
            else:
                too_large = middle
        return 2.0**fits

    def _fits_float32(self, reading: float) -> bool:
        for output in self.outputs:
            total = abs(output.intercept)
            for term in output.terms:
                size = abs(term.coef)
                for factor in term.factors:
                    size *= factor.reach(reading)
                total += size
            if not total < FLOAT32_ROOM:
                return False
        return True
