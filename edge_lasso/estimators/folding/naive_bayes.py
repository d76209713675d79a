"""Naive Bayes on counts: joint log-likelihoods are linear."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import Column, combine
from edge_lasso.estimators.folding.registry import Fold, Head, head
from edge_lasso.estimators.folding.regressors import linear


def likelihoods(estimator: Any, outputs: list[Column]) -> Head:
    """Softmax of joint log-likelihoods; of two, the logistic of their difference."""
    if len(outputs) == 2:
        outputs = [combine([Decimal(-1), Decimal(1)], outputs)]
    return Head(outputs, estimator.classes_)


@head("sklearn.naive_bayes.MultinomialNB")
def multinomial(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Counts times log-probabilities."""
    return likelihoods(estimator, linear(columns, estimator.feature_log_prob_, estimator.class_log_prior_))


@head("sklearn.naive_bayes.ComplementNB")
def complement(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """The same of the complement of each class; priors do not count."""
    return likelihoods(estimator, linear(columns, estimator.feature_log_prob_, 0.0))


@head("sklearn.naive_bayes.BernoulliNB")
def bernoulli(estimator: Any, columns: list[Column], fold: Fold) -> Head:
    """Of columns that are 0 or 1 by themselves."""
    binary = all(_zero_or_one(column) for column in columns)
    if estimator.binarize is not None and not (binary and 0.0 <= estimator.binarize < 1.0):
        raise fold.refuse(
            estimator,
            "it compares readings with `binarize`, and a model does not; give it columns of 0 and 1, binarize=None",
        )
    absent = np.log1p(-np.exp(estimator.feature_log_prob_))
    constants = estimator.class_log_prior_ + absent.sum(axis=1)
    return likelihoods(estimator, linear(columns, estimator.feature_log_prob_ - absent, constants))


def _zero_or_one(column: Column) -> bool:
    """Whether a column is one category against the others."""
    return (
        len(column.terms) == 1
        and {part.kind for parts in column.terms for part in parts} <= {"is", "missing"}
        and {column.constant, column.constant + next(iter(column.terms.values()))} <= {Decimal(0), Decimal(1)}
    )
