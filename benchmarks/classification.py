"""The logistic lasso beside python-glmnet and liblinear, as ratios within one run: one thread, processor seconds.

    python -m pip install python-glmnet==2.6.1
    python benchmarks/classification.py [--shape 10000x50x2] [--full]

Labels are noisy, ``argmax(X B + gumbel)``, and 15 % of the coefficients are not zero. Each has 100 alphas, five folds,
choice by held-out log-loss and the model on all rows. Ours solves all alphas of all rows to a duality gap of 1e-8 or
less, which is printed; `--full` adds what it does by itself (refits compete with the lasso). liblinear is one model
against the rest at the alpha that ours chose, without folds: what remains after somebody has told it the answer.

The last shape imitates access points heard in three floors: most readings of most columns are the value
that means "not heard".
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import platform  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from edge_lasso import LassoClassifier  # noqa: E402

SHAPES = ("10000x50x2", "100000x50x2", "5000x300x3", "19937x520x3-sparse")
ALPHAS = 100
NOT_HEARD = -105.0
GLMNET_UP_TO = 100


def noisy(n: int, p: int, classes: int) -> tuple[Any, Any]:
    """Independent columns; labels that nobody can tell for certain."""
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, p))
    B = np.where(rng.random((p, classes)) < 0.15, rng.standard_normal((p, classes)), 0.0)
    return X, (X @ B + rng.gumbel(size=(n, classes))).argmax(axis=1)


def access_points(n: int, p: int, floors: int) -> tuple[Any, Any]:
    """Signal strengths in dB of `p` senders, by a log-distance law; the floor to be told."""
    rng = np.random.default_rng(0)
    size = np.array([400.0, 270.0])
    place, floor = rng.random((n, 2)) * size, rng.integers(0, floors, n)
    sender, above = rng.random((p, 2)) * size, rng.integers(0, floors, p)
    between = np.abs(floor[:, None] - above)
    distance = np.sqrt(((place[:, None] - sender) ** 2).sum(axis=2) + (15.0 * between) ** 2)
    heard = -30.0 - 32.0 * np.log10(np.maximum(distance, 3.0) / 3.0) - 6.0 * between + 6.0 * rng.standard_normal((n, p))
    return np.where(heard > -74.0, np.round(heard), NOT_HEARD), floor


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and the result."""
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = work()
    return time.process_time() - start, result


def peer_glmnet(X: Any, y: Any) -> Callable[[], Any] | None:
    """python-glmnet, if it is installed."""
    try:
        from glmnet import LogitNet
    except ImportError:
        return None
    return lambda: LogitNet(n_lambda=ALPHAS, n_splits=5, standardize=True, scoring="log_loss").fit(X, y)


def line(shape: str, full: bool) -> None:
    """Measure and print one shape."""
    n, p, classes = map(int, shape.removesuffix("-sparse").split("x"))
    X, y = access_points(n, p, classes) if shape.endswith("-sparse") else noisy(n, p, classes)
    LassoClassifier(alphas=2).fit(X[:500], y[:500])
    ours, fitted = cpu(lambda: LassoClassifier(alphas=ALPHAS, select="min", refit=False).fit(X, y))
    fit = fitted.fit_
    print(
        f"{n:>7,} x {p} x {classes}", f"{np.mean(X == NOT_HEARD):.0%} of one value" if shape.endswith("-sparse") else ""
    )
    print(
        f"    ours                {ours:8.2f} s         {len(fit.alphas)} alphas ({fit.ended}), {fit.n_inputs} inputs, "
        f"largest gap {fit.gaps.max():.1e}, log-loss {fit.cv_error:.5f}"
    )
    if full:
        whole, _ = cpu(lambda: LassoClassifier(alphas=ALPHAS).fit(X, y))
        print(f"    ours, as it comes   {whole:8.2f} s = {whole / ours:.2f} x ours")
    glmnet = peer_glmnet(X, y) if p <= GLMNET_UP_TO else None
    if glmnet is not None:
        theirs, peer = cpu(glmnet)
        print(f"    python-glmnet       {theirs:8.2f} s = {theirs / ours:.2f} x ours   {len(peer.lambda_path_)} alphas")
    model = OneVsRestClassifier(
        LogisticRegression(C=1.0 / (fit.alpha * n), l1_ratio=1.0, solver="liblinear", intercept_scaling=100.0)
    )
    theirs, _ = cpu(lambda: model.fit(StandardScaler().fit_transform(X), y))
    print(f"    liblinear, 1 alpha  {theirs:8.2f} s = {theirs / ours:.2f} x ours   no folds", flush=True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", help="only this ROWSxCOLUMNSxCLASSES[-sparse] (repeatable)")
    parser.add_argument("--full", action="store_true", help="also with refits, as it comes")
    options = parser.parse_args()
    print(f"Python {platform.python_version()}, numpy {np.__version__}, scikit-learn {sklearn.__version__}")
    for shape in options.shape or SHAPES:
        line(shape, options.full)


if __name__ == "__main__":
    main()
