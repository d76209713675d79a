"""What sparse residuals are compared with: components, forests, distances, neighbours, z-scores, what knows nothing."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from anomaly_runs import ENTRIES, FAULTS, WARM_UP, Result, ewma
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from edge_lasso.predicting.scores import tracked

CONTROL = "control: "
NEIGHBOUR, REMEMBERED = 5, 4000  # which neighbour's distance counts; of so many rows at most, evenly taken
TREES, HEIGHT, WINDOW = 25, 8, 250  # of half-space trees, as in their paper


@dataclass
class Peer:
    """A score: a statistic of raw and of averaged features, in units of their means on normal rows; smoothed.

    `size`: bytes of its numbers; `work`: multiplications and comparisons per row; both counted.
    """

    name: str
    features: Callable[[Any], Any]
    statistic: Callable[[Any], Callable[[Any], Any]]
    size: int
    work: int = 0

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

    def series(self, zs: Sequence[Any]) -> list[Any]:
        """Scores of series of the same length, each from the start; their statistics are taken all at once."""
        e = [self.features(z) for z in zs]
        slow = [ewma(each, np.zeros(each.shape[1])) for each in e]
        raw = [
            (part(np.vstack(x)) / level).reshape(len(zs), -1)
            for part, x, level in zip(self.parts, (e, slow), self.levels, strict=True)
        ]
        smooth = ewma(((raw[0] + raw[1]) / 2.0).T, np.ones(len(zs))).T
        return list(np.maximum(smooth, self.fast * raw[0]))

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
        return Result(self.name, scores, np.array(entries), 0, self.size, np.median(took) * 1e6, work=self.work)


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

    work = 2 * p * d + 2 * (p + d)
    # loadings, mean and deviation | T2's deviations, raw and averaged | averaged features and score
    size = p * d * 4 + p * 2 * 4 + (2 * d * 4 if "T2" in kind else 0) + p * 4 + 4
    return Peer(f"PCA {kind}, {d} of {p}{remark}", features, statistic, size, work)


def forest(fitted: Any) -> Peer:
    trees = []

    def statistic(x: Any) -> Callable[[Any], Any]:
        result = IsolationForest(random_state=0).fit(x)
        trees.extend(result.estimators_)
        return lambda rows: -result.score_samples(rows)

    peer = Peer("isolation forest, 2 x 100 trees", lambda z: z, statistic, 0)
    peer.fit(fitted)
    peer.size = sum(tree.tree_.node_count for tree in trees) * 7 + fitted.shape[1] * 4 + 4  # feature, threshold, child
    peer.work = sum(tree.tree_.max_depth for tree in trees)
    return peer


def ridge(fitted: Any) -> Peer:
    """Each sensor less its ridge regression on all others: the rows of a regularized precision matrix."""
    p = fitted.shape[1]
    precision = np.linalg.inv(np.cov(fitted.T) + 0.01 * np.eye(p))
    rest = precision / np.diag(precision)
    return Peer("ridge residuals", lambda z: z @ rest, mean_square, p * p * 4 + p * 4 * 4 + 4, p * p + 4 * p)


def neighbours(fitted: Any) -> Peer:
    """Distance to the fifth neighbour among the normal rows."""
    n, p = min(len(fitted), REMEMBERED), fitted.shape[1]

    def statistic(x: Any) -> Callable[[Any], Any]:
        known = x[np.linspace(0, len(x) - 1, n).astype(int)]
        near = NearestNeighbors(n_neighbors=NEIGHBOUR, algorithm="brute").fit(known)
        return lambda rows: near.kneighbors(rows)[0][:, -1]

    return Peer(f"{NEIGHBOUR} nearest of {n:,} rows", lambda z: z, statistic, 2 * n * p * 4, 2 * n * p)


def ecod(fitted: Any) -> Peer:
    """ECOD (Li et al. 2022): tail probabilities of each sensor by itself, their logarithms added up."""
    n, p = fitted.shape

    def statistic(x: Any) -> Callable[[Any], Any]:
        ordered = np.sort(x, axis=0)
        skewed = ((x - x.mean(axis=0)) ** 3).mean(axis=0) > 0.0

        def score(rows: Any) -> Any:
            below = np.array([np.searchsorted(o, c, "right") for o, c in zip(ordered.T, rows.T, strict=True)]).T
            above = n - np.array([np.searchsorted(o, c, "left") for o, c in zip(ordered.T, rows.T, strict=True)]).T
            left, right = (-np.log((part + 1.0) / (n + 1.0)) for part in (below, above))
            return np.maximum.reduce([each.sum(axis=1) for each in (left, right, np.where(skewed, right, left))])

        return score

    return Peer("ECOD", lambda z: z, statistic, 2 * n * p * 4, 2 * p * math.ceil(math.log2(n)))


def half_space(fitted: Any) -> Peer | None:
    """Half-space trees (Tan et al. 2011), river's, which learn the normal rows and then stay; None without river."""
    if importlib.util.find_spec("river") is None:
        return None
    from river.anomaly import HalfSpaceTrees

    def statistic(x: Any) -> Callable[[Any], Any]:
        low, width = x.min(axis=0), np.maximum(np.ptp(x, axis=0), 1e-12)
        trees = HalfSpaceTrees(n_trees=TREES, height=HEIGHT, window_size=min(WINDOW, len(x) // 2), seed=0)

        def named(rows: Any) -> Any:
            return (dict(enumerate(row)) for row in ((rows - low) / width).tolist())

        for row in named(x[-4 * WINDOW :]):
            trees.learn_one(row)
        return lambda rows: np.array([trees.score_one(row) for row in named(rows)])

    nodes = TREES * (2 ** (HEIGHT + 1) - 1)  # feature, threshold, two counts
    return Peer("half-space trees, 2 x 25", lambda z: z, statistic, 2 * nodes * 13, 2 * TREES * HEIGHT)


def peers(z: Any) -> list[Peer]:
    """All with the same treatment, fitted on standardized normal rows."""
    p = z.shape[1]
    trees = half_space(z)
    return [
        pca("T2 + Q", 0.9, z),
        pca("Q", 0.9, z),
        forest(z),
        Peer("Mahalanobis", lambda z: z, distance, p * (p + 1) // 2 * 2 * 4 + p * 4 + 4, 2 * p * (p + 1)),
        Peer(
            "VAR(1), MEWMA of the rest", innovations(z), distance, (p * p + p * (p + 1)) * 4 + 2 * p * 4 + 4,
            p * p + 2 * p * (p + 1),
        ),
        ridge(z),
        neighbours(z),
        ecod(z),
        *([] if trees is None else [trees]),
        Peer("largest |z|", lambda z: z, largest, p * 3 * 4 + p * 4 + 4, 4 * p),
        Peer("mean z^2", lambda z: z, mean_square, p * 3 * 4 + p * 4 + 4, 4 * p),
    ]  # fmt: skip


@dataclass
class Judge:
    """A peer over raw rows: its scores of series, and of normal rows that it was not fitted on."""

    peer: Peer
    scores: Callable[[Sequence[Any]], list[Any]]
    normal: Any


def judges(rows: Any, track: int, ordered: bool = True) -> list[Judge]:
    """All peers; fitted on all normal rows, and for the scores held out on two thirds of them.

    Tracked like ours where `track` is not 0; without order rows are judged by themselves, unsmoothed.
    """

    def standard(part: Any, x: Any) -> Any:
        z = (x - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-12)
        return tracked(z, track, np.zeros(z.shape[1]), WARM_UP)[0]

    def scorer(peer: Peer, part: Any) -> Callable[[Sequence[Any]], list[Any]]:
        known = standard(part, part)
        if ordered:
            peer.fit(known)
            return lambda series: peer.series([standard(part, x) for x in series])
        statistic = peer.statistic(peer.features(known))
        return lambda series: [statistic(peer.features(standard(part, x))) for x in series]

    third = len(rows) // 3
    fitted, held_out = (rows[:-third], rows[-third:]) if ordered else (rows[third:], rows[:third])
    results = []
    for peer, some in zip(peers(standard(rows, rows)), peers(standard(fitted, fitted)), strict=True):
        normal = scorer(some, fitted)([held_out])[0][WARM_UP if ordered else 0 :]
        results.append(Judge(peer, scorer(peer, rows), normal))
    return results


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
