"""The logistic lasso beside scikit-learn's, as ratios within one run: one thread, CPU time.

    python benchmarks/classification.py [--shape ROWSxCOLUMNS]

Each has 30 alphas down to 1/100, five stratified folds, choice and the model on all rows; ours to an optimality of 1e-9
and calibrated, scikit-learn's saga to its own default of 1e-4. scikit-learn penalizes the sum of the losses, so that
its folds, which have a fifth of the rows less, are penalized by 5/4 of the alpha shown; ours by the same.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from sklearn.linear_model import LogisticRegressionCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from edge_lasso import LassoClassifier  # noqa: E402

SHAPES = ((2_000, 20), (10_000, 50))
ALPHAS = 30


def data(n: int, p: int) -> tuple[Any, Any]:
    """Correlated columns, five true inputs."""
    rng = np.random.default_rng(n + p)
    X = 0.8 * rng.standard_normal((n, p)) + 0.6 * rng.standard_normal((n, 1))
    return X, X[:, :5] @ [1.0, -1.0, 0.5, 0.5, -0.5] + rng.logistic(size=n) > 0.0


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and the result."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = work()
    return time.process_time() - start, result


def line(n: int, p: int) -> None:
    """Measure and print one shape."""
    X, y = data(n, p)
    LassoClassifier(alphas=2).fit(X[:200], y[:200])
    ours, fitted = cpu(lambda: LassoClassifier(alphas=ALPHAS, select="min", refit=False).fit(X, y))
    alphas = fitted.fit_.alphas
    options = {"Cs": 1.0 / (alphas * n), "cv": 5, "l1_ratios": (1.0,), "solver": "saga", "scoring": "neg_log_loss"}
    peer = LogisticRegressionCV(**options, use_legacy_attributes=False)
    theirs, pipeline = cpu(lambda: make_pipeline(StandardScaler(), peer).fit(X, y))
    chosen = 1.0 / (float(np.ravel(pipeline[-1].C_)[0]) * n)
    print(
        f"{n:>7,} x {p:<4} ours {ours * 1e3:9.1f} ms   LogisticRegressionCV(saga) {theirs * 1e3:10.1f} ms = "
        f"{theirs / ours:.1f} x ours; alpha {chosen:.6g} / {fitted.alpha_:.6g}, {len(alphas)} alphas"
    )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", help="only this ROWSxCOLUMNS (repeatable)")
    options = parser.parse_args()
    for n, p in [tuple(map(int, one.split("x"))) for one in options.shape or ()] or SHAPES:
        line(n, p)


if __name__ == "__main__":
    main()
