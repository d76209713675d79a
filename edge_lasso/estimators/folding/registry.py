"""Which function folds which class: steps turn columns into columns, heads turn columns into outputs.

A package of its own transformers adds to these at run time:

>>> from edge_lasso.estimators.folding.registry import step
>>> @step("my_package.scalers.HalfScaler")
... def half(scaler, columns, fold):
...     return [scaled(column, Decimal("0.5")) for column in columns]

Classes are named, not imported; a subclass is folded as the nearest class that is named. If it computes something else
than that class, the check against the pipeline's own predictions refuses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.columns import Column

if TYPE_CHECKING:
    from edge_lasso.estimators.folding.readings import Readings

ROOM = "edge_lasso.estimators.folding"
MODULES = (
    "scaling", "imputing", "encoding", "products", "bending", "selecting", "projecting", "functions", "composing",
    "regressors", "classifiers", "naive_bayes", "ensembles", "searches", "ours",
)  # fmt: skip

OF_OTHERS = ("Pipeline", "FeatureUnion")
"""Whose parts are asked whether they are fitted, so that the one that is not is named."""


@dataclass(frozen=True)
class Head:
    """What an estimator predicts.

    Parameters
    ----------
    outputs : list of Column
        Linear predictors: one per target; one of two classes (of the second); else one per class.
    classes : sequence, optional
        The labels, of a classifier.
    probabilities : bool
        Whether logistic or softmax of the outputs is what `predict_proba` gives. False: the labels alone are.
    why : str
        Why not, where the estimator has other probabilities.
    link : {"identity", "exp"}
        Of a regressor: whether it predicts e to the power of its outputs.
    """

    outputs: list[Column]
    classes: Sequence[Any] | None = None
    probabilities: bool = True
    why: str = ""
    link: str = "identity"


Step = Callable[[Any, list[Column], "Fold"], list[Column]]
Estimator = Callable[[Any, list[Column], "Fold"], Head]
STEPS: dict[str, Step] = {}
HEADS: dict[str, Estimator] = {}
REFUSED: dict[str, str] = {}


def step(*names: str) -> Callable[[Step], Step]:
    """Register a function that folds transformers of the named classes (``package.module.Class`` or ``Class``)."""

    def register(function: Step) -> Step:
        STEPS.update(dict.fromkeys(names, function))
        return function

    return register


def head(*names: str) -> Callable[[Estimator], Estimator]:
    """Register a function that folds estimators of the named classes."""

    def register(function: Estimator) -> Estimator:
        HEADS.update(dict.fromkeys(names, function))
        return function

    return register


def look_up(table: dict[str, Any], estimator: Any) -> Any:
    """The entry of the nearest class that has one, or None."""
    load()
    for kind in type(estimator).__mro__:
        for name in (f"{kind.__module__}.{kind.__qualname__}", kind.__qualname__):
            if name in table:
                return table[name]
    return None


def load() -> None:
    """Import what this package folds."""
    for name in MODULES:
        import_module(f"{ROOM}.{name}")


@dataclass(frozen=True)
class Fold:
    """Where in a pipeline folding is, and what it has learned about the raw inputs.

    Parameters
    ----------
    readings : Readings
    path : str
        The step's name, those around it before it: ``prepare.scale``.
    """

    readings: Readings
    path: str = ""

    def inside(self, name: str) -> Fold:
        """The fold of a step within this one."""
        return Fold(self.readings, f"{self.path}.{name}" if self.path else name)

    def refuse(self, estimator: Any, why: str) -> DataError:
        """The error that names the step and says why."""
        return DataError(f"step '{self.path or 'estimator'}' ({type(estimator).__name__}): {why}")

    def step(self, name: str, transformer: Any, columns: list[Column]) -> list[Column]:
        """Columns after a transformer."""
        if transformer is None or (isinstance(transformer, str) and transformer == "passthrough"):
            return columns
        inner = self.inside(name)
        inner._check(transformer, columns)
        function = look_up(STEPS, transformer)
        if function is None or isinstance(transformer, str):
            raise inner.refuse(transformer, _unknown(transformer, "transformer"))
        try:
            return list(function(transformer, columns, inner))
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            raise inner.refuse(transformer, f"it is not as this version knows it ({error})") from error

    def head(self, name: str, estimator: Any, columns: list[Column]) -> Head:
        """Outputs of an estimator."""
        inner = self.inside(name) if name else self
        inner._check(estimator, columns)
        function = look_up(HEADS, estimator)
        if function is None and look_up(REFUSED, estimator) is None and hasattr(estimator, "coef_"):
            function = HEADS["coefficients"]
        if function is None:
            raise inner.refuse(estimator, _unknown(estimator, "last step"))
        try:
            return function(estimator, columns, inner)  # type: ignore[no-any-return]
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            raise inner.refuse(estimator, f"it is not as this version knows it ({error})") from error

    def _check(self, estimator: Any, columns: list[Column]) -> None:
        if type(estimator).__name__ in OF_OTHERS:
            return
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            raise DataError(
                f"step '{self.path or 'estimator'}' ({type(estimator).__name__}) is not fitted; call fit first"
            ) from None
        except TypeError:
            if not hasattr(estimator, "predict"):  # statsmodels' results are no scikit-learn estimators, and fitted
                raise self.refuse(estimator, "it is no fitted estimator") from None
        wanted = getattr(estimator, "n_features_in_", len(columns))
        if wanted != len(columns):
            raise self.refuse(estimator, f"it was fitted on {wanted} columns and gets {len(columns)}")


def _unknown(estimator: Any, what: str) -> str:
    why = look_up(REFUSED, estimator)
    if why is not None:
        return str(why)
    return (
        f"a {what} of this kind cannot be folded into terms of the inputs; leave it out, or teach it with "
        f"{ROOM}.registry"
    )
