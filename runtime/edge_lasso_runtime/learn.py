"""``--learn FILE``: what a fleet trains from, without a row leaving a board.

Of complete rows whose truth comes with them: their number, and per column the mean, the range, and the products of
deviations from the means, added up (Welford's update). The columns are the model's numbers, an indicator per category,
and the outputs; ``edge-lasso train --from`` puts the files of many boards together.

The file is written when `least` rows or more have come since it was written last, never for fewer: neither a file nor
the difference of two tells of fewer rows than that. Rows since then are lost when the process ends.
"""

from __future__ import annotations

import os
from time import monotonic

from . import snapshot
from .checks import sha256
from .errors import SnapshotError
from .locks import LockedError, hold
from .printable import report
from .rows import RowError
from .stream import warm_up
from .truth import complete, truth_names, truths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from .model import Model
    from .step import State
    from .step_result import Step

FORMAT = "edge-lasso-moments/1"
LEAST, LEAST_PER_COLUMN = 100, 10
"""Rows that a file tells of at least: so many, and so many per column."""
EVERY = 10.0
"""Seconds between two files at least, where no state is saved."""
ADVICE = "name another file, or a folder, where every model's readings have a file of their own"


class Learner:
    """Adds up rows, and keeps the sums in a file.

    Parameters
    ----------
    model : Model
        Of numbers (one output or several), without products of inputs.
    path : str
        A file, or a folder: in it a file for these inputs and outputs.

    Attributes
    ----------
    rows : int
        Added up so far.
    mean, low, high : list of float, one per column
    products : list of list of float
        Row i has the columns up to i.

    Raises
    ------
    RowError
        The model cannot be learned for.
    SnapshotError
        The file is damaged, of other readings, or held by another process.
    """

    def __init__(self, model: Model, path: str) -> None:
        from .format import model_hash

        self._model = model
        self._hash = model_hash(model)
        self._columns = _columns(model)
        self._about = describe(model)
        self._memory = warm_up(model)
        self._whole = 0
        self._failed = False
        self._due = 0.0
        size = len(self._columns) + len(model.outputs)
        self.least = max(LEAST, LEAST_PER_COLUMN * size)
        self.rows = self._written = 0
        self.mean, self.low, self.high = [0.0] * size, [float("inf")] * size, [float("-inf")] * size
        self.products = [[0.0] * (i + 1) for i in range(size)]
        self._path = os.path.join(path, f"{_key(self._about)}.json") if os.path.isdir(path) else path
        try:
            self._lock = hold(os.path.join(os.path.dirname(self._path), f".{os.path.basename(self._path)}.lock"))
        except LockedError as error:
            raise SnapshotError(f"{error}; two processes cannot learn into one file") from None
        self._restore()

    def follow(self, state: State, result: Step, values: Iterable[Any]) -> list[float | None]:
        """A row of a stream, after `step`: it counts if it and those that its inputs look back at are complete.

        Parameters
        ----------
        state : State
        result : Step
        values : iterable
            The truth of each output, as it came.

        Returns
        -------
        list of float or None
            The truth of each output.
        """
        known = truths(self._model, values)
        self._whole = self._whole + 1 if complete(result.faults) else 0
        if self._whole > self._memory:
            self._add(state.inputs, known)
        return known

    def gap(self) -> None:
        """Rows were not delivered: what looks back begins anew."""
        self._whole = 0

    def take(self, x: Sequence[float], faults: Mapping[str, str], values: Iterable[Any]) -> None:
        """A row by itself: one number per input, and the truth of each output; it counts if it is complete."""
        if complete(faults):
            self._add(x, truths(self._model, values))

    def close(self) -> None:
        """Let go of the file."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def save_if_due(self) -> None:
        """Write the file when it is time, and enough rows have come."""
        if self.rows - self._written >= self.least and monotonic() >= self._due:
            self.save()

    def save(self) -> None:
        """Write the file if enough rows have come; one that cannot be written is reported once, the work goes on."""
        if self.rows - self._written < self.least:
            return
        self._due = monotonic() + EVERY
        try:
            snapshot.save(self._path, self._hash, self._content(), FORMAT)
        except OSError as error:
            if not self._failed:
                report(f"{self._path}: {error.strerror}; what was learned is not saved, the work goes on")
            self._failed = True
            return
        self._failed = False
        self._written = self.rows

    def _add(self, x: Sequence[float], known: list[float | None]) -> None:
        if None in known:
            return
        row: list[Any] = [x[i] if code is None else float(x[i] == code) for i, code in self._columns] + known
        self.rows += 1
        count, mean = self.rows, self.mean
        deviations = [value - centre for value, centre in zip(row, mean)]
        self.mean = [centre + deviation / count for centre, deviation in zip(mean, deviations)]
        after = [value - centre for value, centre in zip(row, self.mean)]
        for products, deviation in zip(self.products, deviations):
            for j in range(len(products)):
                products[j] += deviation * after[j]
        self.low = list(map(min, self.low, row))
        self.high = list(map(max, self.high, row))

    def _content(self) -> dict[str, Any]:
        numbers = {"mean": self.mean, "low": self.low, "high": self.high}
        return {**self._about, "rows": self.rows, **numbers, "products": [x for part in self.products for x in part]}

    def _restore(self) -> None:
        content = snapshot.load(self._path, None, FORMAT, ADVICE)
        if content is None:
            return
        check(content, self._path)
        if self._about != {name: content[name] for name in self._about}:
            supplied = ", ".join(str(each["name"]) for each in (*content["inputs"], *content["outputs"]))[:100]
            raise SnapshotError(f"{self._path} is of another model, with {supplied}; {ADVICE}")
        self.rows = self._written = content["rows"]
        self.mean, self.low, self.high = content["mean"], content["low"], content["high"]
        numbers = iter(content["products"])
        self.products = [[next(numbers) for _ in part] for part in self.products]


def describe(model: Model) -> dict[str, Any]:
    """Inputs and outputs as a file names them.

    Raises
    ------
    RowError
        The model cannot be learned for.
    """
    if not truth_names(model):
        raise RowError("--learn is for models of numbers with a plain link: classifiers and detectors need the rows")
    if model.degree > 1 or model.bent:
        raise RowError("--learn is for models without products, hinges or steps of inputs; train with --degree 1")
    if not model.inputs:
        raise RowError("--learn: the model reads no input, so there is nothing to learn")
    return {
        "inputs": [
            {
                "name": feature.name,
                "unit": feature.unit,
                "categories": None if feature.categories is None else list(feature.categories),
                "stream": None if feature.stream is None else list(feature.stream),
            }
            for feature in model.inputs
        ],
        "outputs": [{"name": output.name, "unit": output.unit} for output in model.outputs],
    }


def check(content: Any, path: str) -> None:
    """Refuse a file's content that cannot be what `Learner` wrote.

    Raises
    ------
    SnapshotError
    """
    try:
        names = [entry["name"] for entry in (*content["inputs"], *content["outputs"])]
        outputs = {entry["name"] for entry in content["outputs"]}
        size = len(outputs) + sum(_width(entry, outputs) for entry in content["inputs"])
        rows, lists = content["rows"], [content[name] for name in ("mean", "low", "high", "products")]
        if not all(isinstance(name, str) for name in names) or [len(part) for part in lists] != [
            size, size, size, size * (size + 1) // 2,
        ]:  # fmt: skip
            raise ValueError
        if type(rows) is not int or rows < max(LEAST, LEAST_PER_COLUMN * size) or rows > 1 << 53:
            raise ValueError
        if not all(type(value) is float and abs(value) < 1e90 for part in lists for value in part):
            raise ValueError
        if any(lists[3][i * (i + 3) // 2] < 0.0 for i in range(size)):
            raise ValueError
    except snapshot.WRONG:
        raise SnapshotError(f"{path} does not hold statistics that --learn wrote; {ADVICE}") from None


def _width(entry: Any, outputs: set[str]) -> int:
    """Columns that an input of a file has."""
    if entry["categories"] is not None:
        return len(entry["categories"])
    return 0 if entry["name"] in outputs else 1


def _columns(model: Model) -> list[tuple[int, int | None]]:
    """Input, and category of an indicator, of each column; those computed from earlier rows come last.

    An output whose past is an input is no column beside itself.
    """
    outputs = {output.name for output in model.outputs}
    columns: list[tuple[int, int | None]] = []
    for derived in (False, True):
        for i, feature in enumerate(model.inputs):
            if (feature.stream is not None) is not derived or feature.name in outputs:
                continue
            columns += [(i, None)] if feature.categories is None else [(i, c) for c in range(len(feature.categories))]
    return columns


def _key(about: dict[str, Any]) -> str:
    import json

    return sha256(json.dumps(about).encode())[:16]
