"""Models from fitted scikit-learn pipelines: whatever stands before a linear estimator is folded into raw units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.estimators.folding.building import build, one_default
from edge_lasso.estimators.folding.checking import check, drawn_rows
from edge_lasso.estimators.folding.columns import exact
from edge_lasso.estimators.folding.ranges import ranges
from edge_lasso.estimators.folding.readings import Readings, label
from edge_lasso.estimators.folding.registry import Fold, Head
from edge_lasso.estimators.folding.rows import training_rows
from edge_lasso.training.models import versions
from edge_lasso_runtime.format import from_dict, to_dict
from edge_lasso_runtime.model import Model


def from_sklearn(
    estimator: Any,
    X: Any = None,
    feature_names: Sequence[str] | None = None,
    target_names: str | Sequence[str] | None = None,
    probabilities: bool = True,
) -> Model:
    """Turn a fitted linear estimator, or a pipeline that ends in one, into a model in raw units.

    Scalers, imputers, encoders, polynomials, selectors, projections, unions, searches and means of linear estimators
    are folded (docs/reference/pipelines.md has the list). The model is compared with the estimator's own `predict` and
    `predict_proba`, on `X` and on rows that mix its values, and refused where they disagree.

    Parameters
    ----------
    estimator : fitted estimator
    X : array, sparse matrix or DataFrame, shape (rows, features), optional
        Training rows: give the ranges, and the defaults where no imputer does. Without them, ranges come from what the
        pipeline learned (the provenance says so), and so do the rows it is compared on.
    feature_names : sequence of str, optional
    target_names : str or sequence of str, optional
        Default: the estimator's `feature_names_in_`, else ``x0``, ``x1``, ...; ``y``, or ``y0``, ``y1``, ...
    probabilities : bool, default=True
        False: a classifier's labels have to agree, its probabilities need not (those of one-vs-rest with more than two
        classes cannot be had). Of classifiers without `predict_proba` only the labels count anyway; the provenance
        says so.

    Returns
    -------
    Model
        Inputs with a coefficient that is not zero only.

    Raises
    ------
    DataError
        Not fitted; a step that cannot be folded, by name and why; nothing that tells the ranges; predictions that
        differ by more than ``1e-9`` standard deviations plus ``4 * 2**-53 * sum |c x|``.
    """
    names, named = _names(estimator, X, feature_names)
    readings = Readings(names)
    own = [str(name) for name in getattr(estimator, "feature_names_in_", [])] or names
    rows = training_rows(X, own, named)
    with exact():
        head = Fold(readings).head("", estimator, readings.columns())
        if head.classes is not None and not head.probabilities and head.why and probabilities:
            raise DataError(
                f"{type(estimator).__name__}: {head.why}; pass probabilities=False for a model of its labels alone"
            )
        outputs, fills = one_default(head.outputs, readings)
        used = {part.input for column in outputs for term in column.terms if float(column.terms[term]) for part in term}
        spans, source = ranges(used, readings, rows, fills)
        link, classes, targets = _outputs(head, target_names)
        about = {"solver": _solver(estimator), "ranges": source, "versions": versions()}
        model = build(outputs, readings, spans, targets, link, classes, about)
    framed = own if named else None
    drawn = drawn_rows(readings, rows, framed)
    result = check(
        estimator, model, head, readings, drawn, "rows drawn from what it learned" if rows is None else "X, shuffled"
    )
    if rows is not None:
        supplied = check(estimator, model, head, readings, rows, "X")
        result = max(result, supplied, key=lambda each: each.largest)
    compared = {"rows": result.rows, "largest_difference": result.largest, "of": result.of}
    model = model.replace(provenance={**about, "compared": compared})
    return from_dict(to_dict(model))


def _solver(estimator: Any) -> str:
    last = estimator
    while hasattr(last, "steps"):
        last = last.steps[-1][1]
    package = type(last).__module__.partition(".")[0]
    known = {"edge_lasso": "edge-lasso", "sklearn": "scikit-learn"}
    return f"{known.get(package, package)} {type(last).__name__}"


def _names(estimator: Any, X: Any, given: Sequence[str] | None) -> tuple[list[str], bool]:
    """The inputs' names, and whether the estimator knows its columns by name."""
    own = getattr(estimator, "feature_names_in_", None)
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        width = len(own) if own is not None else np.shape(X)[1] if np.ndim(X) == 2 else None
    if width is None and hasattr(estimator, "coef_"):
        width = np.shape(estimator.coef_)[-1]
    if width is None:
        from sklearn.exceptions import NotFittedError
        from sklearn.utils.validation import check_is_fitted

        try:
            check_is_fitted(estimator)
        except (NotFittedError, TypeError):
            width = 0
        else:
            raise DataError(f"{type(estimator).__name__} does not tell how many columns it takes; pass X")
    names = given if given is not None else own if own is not None else [f"x{j}" for j in range(width)]
    names = [str(name) for name in names]
    if (width and len(names) != width) or len(set(names)) != len(names):
        raise DataError(f"feature_names has {len(names)} names; there must be {width} different ones")
    return names, own is not None


def _outputs(head: Head, given: str | Sequence[str] | None) -> tuple[str, tuple[str, ...] | None, tuple[str, ...]]:
    count = len(head.outputs)
    link, classes = head.link, None
    default = ("y",) if count == 1 else tuple(f"y{m}" for m in range(count))
    if head.classes is not None:
        classes = tuple(label(name) for name in head.classes)
        link = "logistic" if count == 1 else "softmax"
        default = ("y",) if count == 1 else tuple(f"y = {name}" for name in classes)
    names = default if given is None else (given,) if isinstance(given, str) else tuple(given)
    if len(names) != count:
        raise DataError(f"target_names has {len(names)} names; there must be {count}")
    return link, classes, names
