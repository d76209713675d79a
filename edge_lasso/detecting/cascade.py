"""Two thresholds for a first stage, from held-out rows: what it decides itself, and what goes on to a heavier model.

``low`` is an order statistic of the scores of the rows that are looked for: k of n lie below it. The part of all such
rows below it has the distribution Beta(k + 1, n - k), however the scores are distributed (Wilks 1941): where
P(Binomial(n, miss) <= k) <= 1 - confidence it is at most `miss` with that confidence. That is the bound of Clopper and
Pearson (1934), and holds for a threshold chosen on the same rows, because it is one of them. ``high`` likewise, of the
other rows. Both hold where rows come as those did; rows in time resemble their neighbours and are fewer than they seem.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import binom

from edge_lasso.errors import DataError
from edge_lasso.tables.tables import Table, category_codes, model_columns, open_table
from edge_lasso_runtime.batch import steps
from edge_lasso_runtime.cascade import DETECTOR, KEY, check_first
from edge_lasso_runtime.errors import ModelFormatError
from edge_lasso_runtime.fixed_point import KEY as FIXED
from edge_lasso_runtime.model import Model
from edge_lasso_runtime.step import start
from edge_lasso_runtime.stream import readings

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Promise:
    """What is asked of a first stage.

    Parameters
    ----------
    miss : float
        Part of the rows looked for that it may call "no".
    false_alarm : float
        Part of the others that it may call "yes".
    confidence : float
        Of each.
    """

    miss: float = 0.01
    false_alarm: float = 0.01
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 < value < 1.0:
                raise DataError(f"--{name.replace('_', '-')} is {value:g}; it is a part, between 0 and 1")


def cascade(model: Model, data: Any, target: str, yes: str | None = None, promise: Promise | None = None) -> Model:
    """A model with a section ``cascade/1``.

    Parameters
    ----------
    model : Model
        A classifier of two classes, or a detector.
    data : path or table
        Rows that training did not see, in order; the first half finds the thresholds, the second says what came of it.
    target : str
        Column that says what a row is.
    yes : str, optional
        Its value in the rows that are looked for. Of a classifier: a class, by default the second.
    promise : Promise, optional

    Raises
    ------
    DataError
        The model cannot be a first stage; rows it was trained on; too few rows of a kind.
    """
    promise = promise or Promise()
    try:
        check_first(model)
    except ModelFormatError as error:
        raise DataError(f"{error}; this model is neither") from None
    if "fixed_detector/1" in model.sections:
        raise DataError("the thresholds of a detector in integers are its own; give the model before it was quantized")
    table = open_table(data)
    if table.hash and table.hash == (model.provenance.get("data") or {}).get("sha256"):
        raise DataError(f"the model was trained on {table.title}; thresholds need rows that it has not seen")
    side, word = _side(model, yes)
    scores, usable, words = _scored(table, model, target)
    known = words != ""
    scores, usable, positive = scores[known], usable[known], words[known] == word
    if not positive.any():
        raise DataError(f"column '{target}' of {table.title} has no row with {word!r}; --yes names what is looked for")
    half = len(scores) // 2
    signed = scores if side else -scores
    ours, others = (signed[:half][usable[:half] & chosen[:half]] for chosen in (positive, ~positive))
    below = _rank(len(ours), promise.miss, promise.confidence, "--miss", f"rows with {word!r}")
    above = _rank(len(others), promise.false_alarm, promise.confidence, "--false-alarm", "other rows")
    low, high = float(np.sort(ours)[below]), float(np.sort(others)[-1 - above])
    if low > high:  # nothing need go on: one threshold between them keeps both promises
        low = high = (low + high) / 2.0
    wide = model.sections[FIXED]["outputs"][0]["bound"] if FIXED in model.sections else 0.0
    low, high = low - wide, high + wide  # what integers give is at most so far off
    no, sure = usable & (signed < low), usable & (signed > high)
    on = ~(no | sure)
    check = np.arange(len(scores)) >= half
    section = {
        "yes": side, "low": low if side else -high, "high": high if side else -low,
        **vars(promise), "rows": {"calibration": half, "check": len(scores) - half},
        "goes_on": {"predicted": float(on[:half].mean()), "found": float(on[half:].mean())},
        "found": {
            "missed": [int((no & positive & check).sum()), int((positive & check & usable).sum())],
            "false_alarms": [int((sure & ~positive & check).sum()), int((~positive & check & usable).sum())],
        },
    }  # fmt: skip
    return model.replace(sections={**model.sections, KEY: section})


def _side(model: Model, yes: str | None) -> tuple[int, str]:
    """Whether large scores speak for what is looked for, and what that is called."""
    if DETECTOR in model.sections:
        if yes is None:
            raise DataError("--yes is missing: the value of the target in rows that the detector should find")
        return 1, yes
    classes = model.classes or ()
    word = classes[1] if yes is None else yes
    if word not in classes:
        raise DataError(f"--yes {word!r} is no class of the model; it has {', '.join(classes)}")
    return classes.index(word), word


def order_statistic(count: int, rate: float, confidence: float) -> int:
    """How many of `count` rows may lie beyond a threshold that at most `rate` of all shall lie beyond; -1: too few."""
    rank = int(binom.ppf(1.0 - confidence, count, rate)) if count else -1
    while rank >= 0 and binom.cdf(rank, count, rate) > 1.0 - confidence:
        rank -= 1
    return rank


def _rank(count: int, rate: float, confidence: float, option: str, what: str) -> int:
    rank = order_statistic(count, rate, confidence)
    if rank < 0:
        needed = int(np.ceil(np.log(1.0 - confidence) / np.log(1.0 - rate)))
        possible = f"; {count} are enough for {1.0 - (1.0 - confidence) ** (1.0 / count):.2g}" if count else ""
        raise DataError(
            f"{option} {rate:g} with confidence {confidence:g} needs {needed} {what} in the first half, "
            f"there are {count}{possible}"
        )
    return rank


def _scored(table: Table, model: Model, target: str) -> tuple[Array, Array, Array]:
    """The score of every row as a board gives it, whether it may be decided there, and the target's words."""
    numeric, text = model_columns(model)
    for name in (*numeric, *text, target):
        table.check(name)
    places = [model.inputs[i] for i in readings(model)]
    state = start(model)
    detects = DETECTOR in model.sections
    scores, usable, words = [], [], []
    for numbers, texts in table.batches(numeric, [*text, target]):
        block = np.empty((len(numbers), len(places)))
        columns, codes = iter(numbers.T), iter(texts)
        for j, place in enumerate(places):
            block[:, j] = next(columns) if place.categories is None else category_codes(next(codes), place.categories)
        for result in steps(model, state, block.tolist()):
            score = result.score if detects else result.linear[0]
            scores.append(np.nan if score is None else score)
            usable.append(score is not None and result.status == "ok")
        words += pa.array(texts[-1]).cast(pa.string()).fill_null("").to_pylist()
    return np.array(scores), np.array(usable, dtype=bool), np.array(words, dtype=object).astype(str)
