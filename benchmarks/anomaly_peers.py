"""What sparse residuals are compared with: components, a forest, distances, z-scores, and what knows nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from anomaly_runs import ENTRIES, FAULTS, WARM_UP, Result, ewma
from sklearn.ensemble import IsolationForest

CONTROL = "control: "


@dataclass
class Peer:
    """A score: a statistic of raw and of averaged features, in units of their means on normal rows; smoothed."""

    name: str
    features: Callable[[Any], Any]
    statistic: Callable[[Any], Callable[[Any], Any]]
    size: int

    def fit(self, z: Any) -> None:
        """Statistics of raw and averaged features."""
        e = self.features(z)
        slow = ewma(e, np.zeros(e.shape[1]))[WARM_UP:]
        self.parts = [self.statistic(e), self.statistic(slow)]
        self.levels = [float(part(x).mean()) for part, x in zip(self.parts, (e, slow), strict=True)]
        self.fast = 0.0
        _, smooth, _ = self.step(z, np.zeros(e.shape[1]), 1.0)
        quick = self.parts[0](e)[WARM_UP:] / self.levels[0]
        self.fast = float(np.quantile(smooth[WARM_UP:], 0.99) / np.quantile(quick, 0.99))

    def step(self, z: Any, slow: Any, score: float) -> tuple[Any, Any, Any]:
        """Averaged features, slow scores and scores of rows that follow on a state."""
        e = self.features(z)
        slow = ewma(e, slow)
        raw = [part(x) / level for part, x, level in zip(self.parts, (e, slow), self.levels, strict=True)]
        smooth = ewma(sum(raw) / 2.0, score)
        return slow, smooth, np.maximum(smooth, self.fast * raw[0])

    def run(self, fitted: Any, normal: Any, runs: Any) -> Result:
        """Everything that is reported."""
        self.fit(fitted)
        slow, smooth, scores = self.step(normal, np.zeros(self.features(fitted[:1]).shape[1]), 1.0)
        entries = [[self.step(run, slow[at - 1], smooth[at - 1])[2] for run in runs] for at in ENTRIES]
        took = []
        for i in range(100):
            began = time.perf_counter()
            self.step(normal[i : i + 1], slow[0], smooth[0])
            took.append(time.perf_counter() - began)
        return Result(self.name, scores, np.array(entries), 0, self.size, np.median(took) * 1e6)


def largest(x: Any) -> Callable[[Any], Any]:
    deviation = x.std(axis=0)
    return lambda rows: ((rows / deviation) ** 2).max(axis=1)


def mean_square(x: Any) -> Callable[[Any], Any]:
    deviation = x.std(axis=0)
    return lambda rows: ((rows / deviation) ** 2).mean(axis=1)


def distance(x: Any) -> Callable[[Any], Any]:
    """Of Mahalanobis; a hundredth of the variance is added, for what is a copy."""
    inverse = np.linalg.inv(np.cov(x.T) + 0.01 * np.diag(x.var(axis=0)))
    return lambda rows: np.einsum("ij,jk,ik->i", rows, inverse, rows)


def innovations(fitted: Any) -> Callable[[Any], Any]:
    """What a ridge regression on the row before leaves: VAR(1); of the first row, as if it had been there before."""
    before, now = fitted[:-1], fitted[1:]
    A = np.linalg.solve(before.T @ before + 0.01 * len(now) * np.eye(before.shape[1]), before.T @ now)
    return lambda z: z - np.vstack([z[:1], z[:-1]]) @ A


def pca(kind: str, share: float, fitted: Any, remark: str = "") -> Peer:
    """T2 of the leading components (as many as hold this share of the variance), squared rest Q, or both."""
    values, vectors = np.linalg.eigh(np.corrcoef(fitted.T))
    values, vectors = values[::-1], vectors[:, ::-1]
    d = int(np.searchsorted(np.cumsum(values) / values.sum(), share)) + 1
    leading, p = vectors[:, :d], len(vectors)

    def features(z: Any) -> Any:
        t = z @ leading
        return np.hstack([t, z - t @ leading.T])

    def statistic(x: Any) -> Callable[[Any], Any]:
        deviation = x[:, :d].std(axis=0)
        t2 = ((x[:, :d] / deviation) ** 2).sum(axis=1).mean()
        q = (x[:, d:] ** 2).sum(axis=1).mean()
        return lambda rows: (
            (((rows[:, :d] / deviation) ** 2).sum(axis=1) / t2 if "T2" in kind else 0.0)
            + ((rows[:, d:] ** 2).sum(axis=1) / q if "Q" in kind else 0.0)
        )

    # loadings, mean and deviation | T2's deviations, raw and averaged | averaged features and score
    size = p * d * 4 + p * 2 * 4 + (2 * d * 4 if "T2" in kind else 0) + p * 4 + 4
    return Peer(f"PCA {kind}, {d} of {p}{remark}", features, statistic, size)


def forest(fitted: Any) -> Peer:
    trees = []

    def statistic(x: Any) -> Callable[[Any], Any]:
        result = IsolationForest(random_state=0).fit(x)
        trees.extend(result.estimators_)
        return lambda rows: -result.score_samples(rows)

    peer = Peer("isolation forest, 2 x 100 trees", lambda z: z, statistic, 0)
    peer.fit(fitted)
    peer.size = sum(tree.tree_.node_count for tree in trees) * 7 + fitted.shape[1] * 4 + 4  # feature, threshold, child
    return peer


def controls(rows: int) -> list[Result]:
    """What knows nothing."""
    rng = np.random.default_rng(0)
    shape = (len(ENTRIES) * len(FAULTS), rows)
    noise = ewma(rng.random(shape).T, np.full(shape[0], 0.5)).T.reshape(len(ENTRIES), len(FAULTS), rows)
    zero = ewma(rng.random(shape).T, np.zeros(shape[0])).T.reshape(noise.shape)
    normal = ewma(rng.random(rows), 0.5)
    flat = np.ones(noise.shape)
    return [
        Result(f"{CONTROL}random, smoothed", normal, noise),
        Result(f"{CONTROL}random, smoothed from zero", normal, zero),
        Result(f"{CONTROL}constant (all positive)", np.ones(rows), flat),
    ]
