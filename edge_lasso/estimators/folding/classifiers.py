"""Linear classifiers: the sign or the largest of scores is the class; logistic or softmax may be the probability."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import Column, combine
from edge_lasso.estimators.folding.registry import REFUSED, Fold, Head, head
from edge_lasso.estimators.folding.regressors import coefficients, linear
from edge_lasso.estimators.folding.scores import ONE_EACH

TWO_BY_TWO = (
    "its classes are voted for two by two; use OneVsRestClassifier, whose labels are those of the largest score"
)

REFUSED.update(
    OneVsOneClassifier=TWO_BY_TWO,
    OutputCodeClassifier="classes by the nearest code are no largest score; use OneVsRestClassifier",
    MultiOutputClassifier="a model names one class for a row; make one of each of its estimators_",
    ClassifierChain="a model names one class for a row, and labels feed the next estimator; fit one for each target",
    DummyClassifier="it does not look at the inputs",
)


@head("sklearn.multiclass.OneVsRestClassifier")
def against_the_rest(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """One classifier for each class."""
    if estimator.multilabel_:
        raise fold.refuse(estimator, "a model names one class for a row; make one of each of its estimators_")
    heads = [fold.head(f"estimators_[{m}]", each, columns) for m, each in enumerate(estimator.estimators_)]
    outputs = [each.outputs[0] for each in heads]
    if len(outputs) == 1:
        return Head(outputs, estimator.classes_, heads[0].probabilities, heads[0].why)
    if len({each.probabilities for each in heads}) > 1 or any(each.classes is None for each in heads):
        raise fold.refuse(estimator, "its estimators are of different kinds")
    return Head(outputs, estimator.classes_, False, ONE_EACH if heads[0].probabilities else "")


@head("sklearn.calibration.CalibratedClassifierCV")
def calibrated(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """A sigmoid of one classifier's scores."""
    several = estimator.calibrated_classifiers_
    if len(several) > 1:
        raise fold.refuse(estimator, f"the mean of {len(several)} curves is no curve; fit it with ensemble=False")
    if estimator.method != "sigmoid":
        raise fold.refuse(estimator, f"method={estimator.method!r} is no logistic curve; use method='sigmoid'")
    inner = fold.head("estimator", several[0].estimator, columns)
    if not hasattr(several[0].estimator, "decision_function"):
        raise fold.refuse(estimator, "it calibrates probabilities; calibrate an estimator with a decision_function")
    outputs = [
        combine([-Decimal(float(curve.a_))], [column], -Decimal(float(curve.b_)))
        for column, curve in zip(inner.outputs, several[0].calibrators, strict=True)
    ]
    alone = len(outputs) == 1
    return Head(outputs, estimator.classes_, alone, "" if alone else ONE_EACH)


@head("sklearn.model_selection._classification_threshold.BaseThresholdClassifier")
def threshold(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Another threshold than one half: the score is shifted, so that its sign is the label."""
    inner = fold.head("estimator", estimator.estimator_, columns)
    if inner.classes is None or len(inner.outputs) > 1:
        raise fold.refuse(estimator, "it needs a classifier of two classes")
    bound = getattr(estimator, "best_threshold_", getattr(estimator, "threshold", "auto"))
    method = estimator.response_method
    probable = inner.probabilities and method in ("auto", "predict_proba")
    bound = (0.5 if probable else 0.0) if bound == "auto" else float(bound)
    positive = getattr(estimator, "pos_label", None)
    if positive is not None and positive != inner.classes[1]:
        raise fold.refuse(estimator, "pos_label must be the second class")
    if not probable and hasattr(estimator.estimator_, "predict_proba") and method != "decision_function":
        raise fold.refuse(estimator, inner.why)
    if probable and not 0.0 < bound < 1.0:
        raise fold.refuse(estimator, f"the threshold {bound} is no probability between 0 and 1")
    shift = float(np.log(bound) - np.log1p(-bound)) if probable else bound
    shifted = combine([Decimal(1)], inner.outputs, -Decimal(shift))
    moved = shift != 0.0
    return Head(
        [shifted], estimator.classes_, probable and not moved, "its label is not that of the larger probability"
    )


@head("sklearn.semi_supervised._self_training.SelfTrainingClassifier")
def self_trained(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """The estimator of the last round."""
    return fold.head("estimator", estimator.estimator_, columns)


@head("sklearn.neighbors._nearest_centroid.NearestCentroid")
def centroids(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """The nearest centre: ``2 x @ c - c @ c`` is largest; labels with equal priors leave the deviations out."""
    if estimator.metric != "euclidean":
        raise fold.refuse(estimator, "only metric='euclidean' has scores that are sums of terms")
    centers, priors = np.asarray(estimator.centroids_), np.asarray(estimator.class_prior_)
    equal = bool(np.isclose(priors, 1.0 / len(priors)).all())
    deviation = np.asarray(estimator.within_class_std_dev_)
    deviation = np.ones_like(deviation) if equal else np.where(deviation != 0.0, deviation, 1.0)
    constants = 2.0 * np.log(priors) - ((centers / deviation) ** 2).sum(axis=1)
    outputs = linear(columns, 2.0 * centers / deviation**2, constants)
    if len(outputs) == 2:
        outputs = [combine([Decimal(-1), Decimal(1)], outputs)]
    return Head(
        outputs, estimator.classes_, not equal, "its labels with equal priors are not those of its probabilities"
    )


head("sklearn.discriminant_analysis.LinearDiscriminantAnalysis")(coefficients)
