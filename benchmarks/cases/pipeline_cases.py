"""Fitted scikit-learn estimators and pipelines: what `from_sklearn` and its peers are tried on.

`estimator_cases` has every linear estimator of scikit-learn in its variants, `pipeline_cases` pipelines as people write
them. All are fitted on tables made here, the same each time.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ROWS = 240


@dataclass(frozen=True)
class Case:
    """One estimator and what it is fitted on.

    Parameters
    ----------
    name : str
    make : callable
        An estimator, not fitted.
    X : array or DataFrame
    y : array
    """

    name: str
    make: Callable[[], Any]
    X: Any
    y: Any

    def fitted(self) -> Any:
        """The estimator, fitted."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.make().fit(self.X, self.y)


def numbers() -> Array:
    """Six columns: offsets up to 1e5, scales from 1e-4 to 1e3."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(ROWS, 6)) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6)))
    return X * [5.0, 1e-4, 1e3, 1.0, 20.0, 0.1] + [20.0, 0.01, 101325.0, 0.0, -40.0, 3.0]


def linear_part(X: Array) -> Array:
    """A standardized mixture of the columns."""
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    return z @ [1.0, -0.8, 0.5, 0.0, 0.3, 0.0] + 0.3 * np.random.default_rng(2).normal(size=len(X))


def targets() -> dict[str, Array]:
    """What there is to predict."""
    z = linear_part(numbers())
    rng = np.random.default_rng(3)
    return {
        "one": 50.0 + 10.0 * z,
        "two": np.stack([50.0 + 10.0 * z, -3.0 * z + rng.normal(size=ROWS)], axis=1),
        "positive": np.exp(1.0 + 0.3 * z),
        "binary": np.where(z > 0.1, "high", "low").astype(object),
        "classes": np.digitize(z, [-0.6, 0.7]),
    }


def counts() -> Array:
    """Counts of five events."""
    return np.random.default_rng(4).poisson([3.0, 1.0, 5.0, 0.5, 2.0], size=(ROWS, 5)).astype(float)


def scaled(estimator: Any) -> Any:
    """An estimator behind a StandardScaler, as it should be used."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), estimator)


def named(estimator: Any) -> str:
    """What it prints, in a line, the same each time."""
    text = re.sub(r"<function (\w+) at \w+>", r"\1", " ".join(str(estimator).split()))
    return re.sub(r", random_state=0|random_state=0(, )?", "", text)


def estimator_cases() -> Iterator[Case]:
    """Every linear estimator of scikit-learn, in its variants."""
    from pipeline_estimators import classifiers, counting, refused, regressors

    X, y = numbers(), targets()
    for name, kind, make in regressors():
        yield Case(name, make, X, y[kind])
    for name, make in classifiers():
        for kind in ("binary", "classes"):
            yield Case(f"{name}, {2 if kind == 'binary' else 3} classes", make, X, y[kind])
    for name, kind, make in refused():
        yield Case(f"{name}, {2 if kind == 'binary' else 3} classes", make, X, y[kind])
    for name, make in counting():
        for kind in ("binary", "classes"):
            yield Case(f"{name}, {2 if kind == 'binary' else 3} classes", make, counts(), y[kind])


def frame() -> Any:
    """A table of sensors: numbers with gaps, words, a numbered mode."""
    import pandas as pd

    rng = np.random.default_rng(5)
    X = numbers()
    table = pd.DataFrame(X, columns=["temperature", "vibration", "pressure", "flow", "level", "current"])
    table["valve"] = rng.choice(["open", "half", "closed"], ROWS).astype(object)
    table["site"] = rng.choice([f"site {k}" for k in range(6)], ROWS).astype(object)
    table["mode"] = rng.integers(0, 4, ROWS)
    for name in ("temperature", "pressure", "valve"):
        table.loc[rng.random(ROWS) < 0.08, name] = np.nan
    return table


def frame_target() -> Array:
    """What the table's target is."""
    table = frame()
    z = linear_part(numbers())
    return 50.0 + 10.0 * z + 4.0 * (table["valve"] == "open").to_numpy() + table["mode"].to_numpy()


def pipeline_cases() -> Iterator[Case]:
    """Pipelines as people write them."""
    from pipeline_shapes import on_frames, on_numbers

    X, y = numbers(), targets()
    for name, kind, make in on_numbers():
        holed = X
        if "Imputer" in name or "imputer" in name or "Indicator" in name:
            holed = np.where(np.random.default_rng(6).random(X.shape) < 0.06, np.nan, X)
        yield Case(name, make, holed, y[kind])
    table, target = frame(), frame_target()
    labels = {"one": target, "binary": target > 52.0, "classes": np.digitize(target, [45.0, 57.0])}
    for name, kind, make in on_frames():
        yield Case(name, make, table, labels[kind])
