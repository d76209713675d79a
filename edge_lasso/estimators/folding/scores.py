"""What the scores of a classifier with coefficients are worth: whether their logistic or softmax is a probability."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from edge_lasso.estimators.folding.columns import Column, scaled
from edge_lasso.estimators.folding.registry import Fold, Head

ONE_EACH = "probabilities of one class against the rest, divided by their sum, are no softmax"


def scores(estimator: Any, outputs: list[Column], fold: Fold) -> Head:
    """The head of a classifier with `coef_`: what its probabilities are is known by its kind."""
    classes = estimator.classes_
    if isinstance(classes, list) or len(classes) < 2 or len(outputs) != (1 if len(classes) == 2 else len(classes)):
        raise fold.refuse(estimator, f"its {len(outputs)} scores are not those of {len(classes)} classes")
    probable, why = _probabilities(estimator, len(classes))
    if why == "doubled":
        return Head([scaled(outputs[0], Decimal(2))], classes)
    return Head(outputs, classes, probable, why)


def _probabilities(estimator: Any, count: int) -> tuple[bool, str]:
    if not hasattr(estimator, "predict_proba"):
        return False, ""
    loss = getattr(estimator, "loss", "log_loss")
    if loss not in ("log_loss", "log"):
        return False, f"probabilities of the loss {loss!r} are not logistic"
    several = getattr(estimator, "multi_class", "deprecated")
    if count == 2:
        both = several == "multinomial" and getattr(estimator, "solver", "") != "liblinear"
        return True, "doubled" if both else ""  # softmax of -z and z, as scikit-learn before 1.8 had it
    kinds = {kind.__name__ for kind in type(estimator).__mro__}
    each = several == "ovr" or getattr(estimator, "solver", "") == "liblinear" or "BaseSGD" in kinds
    return (False, ONE_EACH) if each else (True, "")
