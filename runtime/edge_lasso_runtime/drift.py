"""Section ``drift/1``: has the world moved since training? Counters in constant memory, and a digest for telemetry.

Per reading of numbers the training quantiles divide its values into bins; the board counts, and the population
stability index sum (p - q) ln(p / q) of training part p and found part q says how far it moved (customary reading:
below 0.1 stable, above 0.25 moved). The score of a detector has bins, too, and so has the first output of any other
model. Page-Hinkley (Page 1954) watches the level of the score, or of the absolute error where a row brings the truth.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from .checks import number, shown, take_keys, take_list
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

KEY = "drift/1"
MOVED = 0.25
STABLE = 0.1
MAGIC = b"ed2"
PSI_STEP = 40.0
BATCH = 64


class Drift:
    """The counters.

    Parameters
    ----------
    model : Model
        With a section ``drift/1``.

    Attributes
    ----------
    bins : list of (int, list of float)
        Per reading in the section's order its input and the edges of its bins.
    rows : int
    counts : list of list of int
        Per reading in the section's order, rows per bin; the last one counts missing readings. Rows wait until there
        are `BATCH`, because sorting a few readings costs less than looking for the bin of each.
    score : list of int
        Rows per bin of the score; empty where the model has none.
    level, lowest : float
        Page-Hinkley's sum and its minimum.
    """

    __slots__ = ("_counts", "_hinkley", "_score", "_waiting", "bins", "level", "lowest", "rows", "score")

    def __init__(self, model: Model) -> None:
        section = model.sections[KEY]
        place = {feature.name: i for i, feature in enumerate(model.inputs)}
        self.bins = [(place[reading["input"]], reading["edges"]) for reading in section["readings"]]
        score = section.get("score")
        self._score = score["edges"] if score else None
        hinkley = section.get("page_hinkley")
        self._hinkley = None if hinkley is None else (hinkley["mean"], 1.0 / hinkley["deviation"], hinkley["allowance"])
        self.rows = 0
        self._counts = [[0] * (len(edges) + 2) for _, edges in self.bins]
        self._waiting: list[list[float]] = []
        self.score = [0] * (len(score["edges"]) + 1) if score else []
        self.level = 0.0
        self.lowest = 0.0

    def add(self, x: list[float]) -> None:
        """Count the readings of a row.

        Parameters
        ----------
        x : list of float
            One per input; NaN where a reading is missing.
        """
        self.rows += 1
        self._waiting.append(list(x))
        if len(self._waiting) >= BATCH:
            self._count()

    def add_columns(self, columns: dict[int, list[float]]) -> None:
        """Count the readings of rows, none of them missing: by position of the input, in order of size."""
        for (i, edges), counts in zip(self.bins, self._counts):
            _tally(counts, edges, columns[i])
        self.rows += len(next(iter(columns.values()), []))

    def add_tallies(self, tallies: list[list[int]], rows: int) -> None:
        """Count readings that somebody else has put into their bins: per reading, rows per bin; none was missing."""
        for counts, more in zip(self._counts, tallies):
            for k, count in enumerate(more):
                counts[k] += count
        self.rows += rows

    def follow(self, score: float, watched: float | None) -> None:
        """Look at what a row gave, once the warm-up is over.

        Parameters
        ----------
        score : float
            Of a detector; else the first output's linear predictor.
        watched : float or None
            What Page-Hinkley follows: the score of a detector; else how far the first output is from the truth.
        """
        if self._score is not None:
            self.score[bisect_left(self._score, score)] += 1
        if watched is not None and self._hinkley is not None:
            mean, factor, allowance = self._hinkley
            z = (watched - mean) * factor
            self.level = self.level + ((8.0 if z > 8.0 else z) - allowance)
            if self.level < self.lowest:
                self.lowest = self.level

    @property
    def counts(self) -> list[list[int]]:
        """The counters, rows that wait included."""
        if self._waiting:
            self._count()
        return self._counts

    def _count(self) -> None:
        rows, self._waiting = self._waiting, []
        columns = list(zip(*rows))
        for (i, edges), counts in zip(self.bins, self._counts):
            column = columns[i]
            total = sum(column)  # NaN where a reading is missing
            values = sorted(column if total == total else [value for value in column if value == value])
            counts[-1] += len(rows) - len(values)
            _tally(counts, edges, values)

    def to_dict(self) -> dict[str, Any]:
        """The counters, JSON-ready."""
        return {name: getattr(self, name) for name in ("rows", "counts", "score", "level", "lowest")}

    def restore(self, data: Any) -> None:
        """Take over what `to_dict` gave; lengths must be right (ValueError)."""
        counts = [[int(value) for value in count] for count in data["counts"]]
        score = [int(value) for value in data["score"]]
        if [len(count) for count in counts] != [len(count) for count in self.counts] or len(score) != len(self.score):
            raise ValueError("the bins of other readings")
        self.rows, self._counts, self.score = int(data["rows"]), counts, score
        self._waiting = []
        self.level, self.lowest = float(data["level"]), float(data["lowest"])


def _tally(counts: list[int], edges: list[float], ordered: list[float]) -> None:
    """Add readings in order of size to their bins."""
    before = 0
    for k, edge in enumerate(edges):
        upto = bisect_right(ordered, edge)
        counts[k] += upto - before
        before = upto
    counts[len(edges)] += len(ordered) - before


def psi(parts: list[float], counts: list[int]) -> float:
    """Population stability index of counts against the training parts; half a row is added to each bin.

    Parameters
    ----------
    parts : list of float
        Part of the training readings per bin.
    counts : list of int
        Readings per bin.
    """
    from math import log

    rows = sum(counts)
    if not rows:
        return 0.0
    total = 0.0
    for part, count in zip(parts, counts):
        p = (part * rows + 0.5) / (rows + 0.5 * len(parts))
        q = (count + 0.5) / (rows + 0.5 * len(parts))
        total = total + (p - q) * log(p / q)
    return total


def higher(parts: list[float], counts: list[int]) -> bool:
    """Whether what was found lies above what was seen in training, in the mean of the bins."""
    rows = sum(counts)
    return sum(k * count for k, count in enumerate(counts)) > rows * sum(k * part for k, part in enumerate(parts))


def digest(model: Model, drift: Drift, onsets: int = 0) -> bytes:
    """The counters in 20 bytes and two more per reading: what a board sends home.

    Layout, little-endian: ``ed2``, flags (1: a score, 2: higher than in training), 4 bytes of the model's hash, rows
    (4), alarm onsets (2), Page-Hinkley (2, in 1/16), the score's index (1) and 0, then per reading its population
    stability index (in 1/40, at most 255) and its part of missing readings (in 1/255); then a check word (CRC-16).
    """
    from binascii import crc_hqx

    from .format import model_hash

    section = model.sections[KEY]
    rise = min(int((drift.level - drift.lowest) * 16.0), 65535)
    flags = 1 + 2 * higher(section["score"]["parts"], drift.score) if drift.score else 0
    body = MAGIC + bytes([flags]) + bytes.fromhex(model_hash(model)[:8])
    body += min(drift.rows, 2**32 - 1).to_bytes(4, "little") + min(onsets, 65535).to_bytes(2, "little")
    body += rise.to_bytes(2, "little")
    body += bytes([_byte(psi(section["score"]["parts"], drift.score), PSI_STEP) if drift.score else 0, 0])
    for reading, counts in zip(section["readings"], drift.counts):
        missing = counts[-1] / drift.rows if drift.rows else 0.0
        body += bytes([_byte(psi(reading["parts"], counts[:-1]), PSI_STEP), _byte(missing, 255.0)])
    return body + crc_hqx(body, 0).to_bytes(2, "little")


def read_digest(model: Model, data: bytes) -> dict[str, Any]:
    """What a digest says.

    Returns
    -------
    dict
        ``rows``, ``onsets``, ``page_hinkley``, ``score`` (index or None), ``higher`` (whether the score is above that
        of training), ``readings``: name to (index, missing part).

    Raises
    ------
    ValueError
        It is no digest, a damaged one, or of another model.
    """
    from binascii import crc_hqx

    from .format import model_hash

    names = [reading["input"] for reading in model.sections[KEY]["readings"]]
    if data[:3] != MAGIC or len(data) != 20 + 2 * len(names):
        raise ValueError(f"this is no digest of a model with {len(names)} readings ({len(data)} bytes)")
    if crc_hqx(data[:-2], 0) != int.from_bytes(data[-2:], "little"):
        raise ValueError("the digest is damaged: its check word is not that of its content")
    if data[4:8].hex() != model_hash(model)[:8]:
        raise ValueError(
            f"the digest is of another model ({data[4:8].hex()}...; this one is {model_hash(model)[:8]}...)"
        )
    pairs = zip(names, data[18:-2:2], data[19:-2:2])
    return {
        "rows": int.from_bytes(data[8:12], "little"),
        "onsets": int.from_bytes(data[12:14], "little"),
        "page_hinkley": int.from_bytes(data[14:16], "little") / 16.0,
        "score": data[16] / PSI_STEP if data[3] & 1 else None,
        "higher": bool(data[3] & 2),
        "readings": {name: (index / PSI_STEP, missing / 255.0) for name, index, missing in pairs},
    }


def _byte(value: float, scale: float) -> int:
    return min(int(value * scale + 0.5), 255)


def validate(section: Any, model: Model, where: str) -> None:
    """Check a section against its model.

    Raises
    ------
    ModelFormatError
        Naming the field.
    """
    take_keys(section, where, ("readings",), ("score", "page_hinkley"))
    known = {feature.name for feature in model.inputs if feature.stream is None and feature.categories is None}
    for i, reading in enumerate(take_list(section["readings"], f"{where}.readings")):
        at = f"{where}.readings[{i}]"
        take_keys(reading, at, ("input", "edges", "parts", "missing"), ())
        if reading["input"] not in known:
            raise ModelFormatError(
                f"{at}.input is {shown(reading['input'])}; it must be a reading of numbers, named once"
            )
        known.discard(reading["input"])
        _validate_bins(reading, at)
        if not 0.0 <= number(reading["missing"], f"{at}.missing") <= 1.0:
            raise ModelFormatError(f"{at}.missing is {shown(reading['missing'])}; it must be from 0 to 1")
    if "score" in section:
        take_keys(section["score"], f"{where}.score", ("edges", "parts"), ())
        _validate_bins(section["score"], f"{where}.score")
    if "page_hinkley" in section:
        at = f"{where}.page_hinkley"
        take_keys(section["page_hinkley"], at, ("mean", "deviation", "allowance", "limit"), ())
        for key, value in section["page_hinkley"].items():
            if number(value, f"{at}.{key}") <= 0.0 and key in ("deviation", "limit"):
                raise ModelFormatError(f"{at}.{key} is {shown(value)}; it must be positive")


def _validate_bins(data: Any, where: str) -> None:
    edges = [number(value, f"{where}.edges[{i}]") for i, value in enumerate(take_list(data["edges"], f"{where}.edges"))]
    if not 1 <= len(edges) <= 31 or edges != sorted(set(edges)):
        raise ModelFormatError(f"{where}.edges must be 1 to 31 rising numbers")
    parts = [number(value, f"{where}.parts[{i}]") for i, value in enumerate(take_list(data["parts"], f"{where}.parts"))]
    if len(parts) != len(edges) + 1 or any(value < 0.0 for value in parts) or not 0.99 < sum(parts) < 1.01:
        raise ModelFormatError(f"{where}.parts must be {len(edges) + 1} parts that add up to 1")
