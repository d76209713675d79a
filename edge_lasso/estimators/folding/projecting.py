"""Projections: weighted sums of centred columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_lasso.estimators.folding.columns import ONE, ZERO, Column, combine, decimals, scaled
from edge_lasso.estimators.folding.registry import REFUSED, Fold, step

REFUSED.update(
    KernelPCA="kernels are made of training rows, which a sparse model does not carry; use PCA",
    Nystroem="kernels are made of training rows, which a sparse model does not carry",
    RBFSampler="cosines of readings are no sum of terms",
    SkewedChi2Sampler="logarithms and cosines of readings are no sum of terms",
    AdditiveChi2Sampler="roots and cosines of readings are no sum of terms",
    NMF="it solves a problem for each row",
    MiniBatchNMF="it solves a problem for each row",
    DictionaryLearning="it solves a problem for each row",
    KMeans="distances are no sum of terms",
)


def project(
    columns: list[Column], weights: Any, mean: Any = None, deviation: Any = None, shift: Any = None
) -> list[Column]:
    """``weights @ ((columns - mean) / deviation) + shift``.

    Parameters
    ----------
    columns : list of Column
    weights : array, shape (components, columns)
    mean, deviation : array, shape (columns,), optional
    shift : array, shape (components,), optional
    """
    weights = weights.toarray() if hasattr(weights, "toarray") else np.atleast_2d(weights)
    if mean is not None:
        columns = [scaled(column, ONE, -m) for column, m in zip(columns, decimals(mean), strict=True)]
    if deviation is not None:
        columns = [scaled(column, ONE / d) for column, d in zip(columns, decimals(deviation), strict=True)]
    shifts = [ZERO] * len(weights) if shift is None else decimals(shift)
    return [combine(decimals(row), columns, s) for row, s in zip(weights, shifts, strict=True)]


@step("sklearn.decomposition._base._BasePCA")
def principal(pca: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Principal components; ranges of the readings from the variance they explain."""
    weights, values = np.asarray(pca.components_, dtype=np.float64), np.asarray(pca.explained_variance_)
    variance = (weights**2).T @ values + getattr(pca, "noise_variance_", 0.0) * (1.0 - (weights**2).sum(axis=0))
    for column, mean, value in zip(columns, pca.mean_, variance, strict=True):
        fold.readings.learn(column, mean=mean, deviation=float(np.sqrt(max(value, 0.0))))
    result = project(columns, weights, pca.mean_)
    if not pca.whiten:
        return result
    least = np.finfo(values.dtype).eps
    return [
        scaled(column, ONE / d) for column, d in zip(result, decimals(np.maximum(np.sqrt(values), least)), strict=True)
    ]


@step("sklearn.decomposition._truncated_svd.TruncatedSVD", "sklearn.random_projection.BaseRandomProjection")
def components(projection: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Weighted sums alone."""
    return project(columns, projection.components_)


@step("sklearn.decomposition._fastica.FastICA")
def independent(ica: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Independent components."""
    return project(columns, ica.components_, getattr(ica, "mean_", None) if ica.whiten else None)


@step("sklearn.decomposition._factor_analysis.FactorAnalysis")
def factors(analysis: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Factors' expectations."""
    loadings = np.asarray(analysis.components_)
    weighted = loadings / analysis.noise_variance_
    weights = np.linalg.inv(np.eye(len(loadings)) + weighted @ loadings.T) @ weighted
    deviation = np.sqrt((loadings**2).sum(axis=0) + analysis.noise_variance_)
    for column, mean, d in zip(columns, analysis.mean_, deviation, strict=True):
        fold.readings.learn(column, mean=mean, deviation=float(d))
    return project(columns, weights, analysis.mean_)


@step("sklearn.cross_decomposition._pls._PLS", "sklearn.cross_decomposition._pls.PLSSVD")
def partial(pls: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Scores of the inputs."""
    weights = pls.x_rotations_ if hasattr(pls, "x_rotations_") else pls.x_weights_
    _learn(columns, pls, fold)
    return project(columns, weights.T, pls._x_mean, pls._x_std)


def _learn(columns: list[Column], pls: Any, fold: Fold) -> None:
    for column, mean, deviation in zip(columns, pls._x_mean, pls._x_std, strict=True):
        fold.readings.learn(column, mean=mean, deviation=float(deviation) if pls.scale else None)


@step("sklearn.discriminant_analysis.LinearDiscriminantAnalysis")
def discriminants(analysis: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """Discriminants."""
    weights = np.asarray(analysis.scalings_)[:, : analysis._max_components].T
    return project(columns, weights, analysis.xbar_ if analysis.solver == "svd" else None)


@step("sklearn.neighbors._nca.NeighborhoodComponentsAnalysis")
def neighbours(analysis: Any, columns: list[Column], fold: Fold) -> list[Column]:
    """A learned projection."""
    return project(columns, analysis.components_)
