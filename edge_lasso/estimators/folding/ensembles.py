"""Estimators made of linear ones: means, stacks, chains, transformed targets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import ONE, Column, combine, decimals, scaled
from edge_lasso.estimators.folding.functions import AS_IT_IS
from edge_lasso.estimators.folding.registry import REFUSED, Fold, Head, head

CURVES = "the mean of several probabilities is no probability of one score; stack decision functions instead"
REFUSED.update(VotingClassifier=CURVES, BaggingClassifier=CURVES)


def numbers(whole: Any, part: Head, fold: Fold) -> list[Column]:
    """The outputs of a regressor."""
    if part.classes is not None:
        raise fold.refuse(whole, "one of its estimators is a classifier")
    if part.link != "identity":
        raise fold.refuse(whole, f"one of its estimators has the link {part.link}, which has to come last")
    return part.outputs


def mean(parts: list[list[Column]], weights: list[Decimal]) -> Head:
    """The weighted mean, output by output."""
    total = sum(weights, Decimal(0))
    return Head([combine([weight / total for weight in weights], outputs) for outputs in zip(*parts, strict=True)])


@head("sklearn.ensemble._voting.VotingRegressor")
def voting(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """The weighted mean of several."""
    names = [name for name, each in whole.estimators if not (isinstance(each, str) and each == "drop")]
    parts = [
        numbers(whole, fold.head(name, each, columns), fold)
        for name, each in zip(names, whole.estimators_, strict=True)
    ]
    weights = whole._weights_not_none
    return mean(parts, [ONE] * len(parts) if weights is None else decimals(weights))


@head("sklearn.ensemble._bagging.BaggingRegressor")
def bagging(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """The mean of several, each on its own columns."""
    parts = [
        numbers(whole, fold.head(f"estimators_[{m}]", each, [columns[j] for j in places]), fold)
        for m, (each, places) in enumerate(zip(whole.estimators_, whole.estimators_features_, strict=True))
    ]
    return mean(parts, [ONE] * len(parts))


@head("sklearn.ensemble._stacking._BaseStacking")
def stacking(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """A linear estimator of others' predictions or scores."""
    features: list[Column] = []
    names = [name for name, each in whole.estimators if not (isinstance(each, str) and each == "drop")]
    for name, each, method in zip(names, whole.estimators_, whole.stack_method_, strict=True):
        part = fold.head(name, each, columns)
        if part.classes is not None and method != "decision_function":
            raise fold.refuse(whole, f"it stacks {method} of '{name}'; fit it with stack_method='decision_function'")
        features += part.outputs if part.classes is not None else numbers(whole, part, fold)
    if whole.passthrough:
        features += columns
    final = fold.head("final_estimator", whole.final_estimator_, features)
    if final.classes is None:
        return final
    return Head(final.outputs, whole.classes_, final.probabilities, final.why)


@head("sklearn.multioutput.MultiOutputRegressor")
def several(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """One regressor for each target."""
    parts = [fold.head(f"estimators_[{m}]", each, columns) for m, each in enumerate(whole.estimators_)]
    return Head([column for part in parts for column in numbers(whole, part, fold)])


@head("sklearn.multioutput.RegressorChain")
def in_turn(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """Each regressor takes the predictions of those before it."""
    outputs: list[Column] = []
    for m, each in enumerate(whole.estimators_):
        outputs += numbers(whole, fold.head(f"estimators_[{m}]", each, columns + outputs), fold)
    turns = np.argsort(whole.order_)
    return Head([outputs[turn] for turn in turns])


@head("sklearn.compose._target.TransformedTargetRegressor")
def transformed(whole: Any, columns: list[Column], fold: Fold) -> Head:
    """A target that was scaled and shifted."""
    outputs = numbers(whole, fold.head("regressor", whole.regressor_, columns), fold)
    transformer = whole.transformer_
    kind = type(transformer).__name__
    if kind == "FunctionTransformer":
        if transformer.inverse_func in AS_IT_IS:
            return Head(outputs)
        if transformer.inverse_func is np.exp:
            return Head(outputs, link="exp")
        name = getattr(transformer.inverse_func, "__name__", "its inverse")
        raise fold.refuse(
            whole, f"inverse_func {name} is a curve, and a model's value is a sum of terms; let the model predict "
            "the transformed target, and undo it where it is read"
        )  # fmt: skip
    if kind not in ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"):
        raise fold.refuse(whole, f"the target's transformer is {kind}; only scalers are shifts and factors")
    ends = transformer.inverse_transform(np.array([[0.0] * len(outputs), [1.0] * len(outputs)]))
    shifts = decimals(ends[0])
    if kind == "MinMaxScaler":
        factors = [ONE / scale for scale in decimals(transformer.scale_)]
        shifts = [-low * factor for low, factor in zip(decimals(transformer.min_), factors, strict=True)]
    else:
        scale = transformer.scale_
        factors = [ONE] * len(outputs) if scale is None else decimals(scale)
    return Head([scaled(column, f, s) for column, f, s in zip(outputs, factors, shifts, strict=True)])
