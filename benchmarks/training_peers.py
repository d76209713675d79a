"""The peers of `training.py` that want an environment of their own: python-glmnet, celer, skglm, adelie.

    python benchmarks/training_peers.py --install peers
    python benchmarks/training.py --peers peers/bin/python

With a shape (ROWSxCOLUMNS) this script times each that imports, CPU seconds of one thread, and prints JSON lines: 100
alphas down to 1/1000, five folds, standardized, and the model on all rows, as each package does it best.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

PINS = ("numpy==1.26.4", "scikit-learn==1.6.1", "python-glmnet==2.6.1", "celer==0.7.4", "skglm==0.5", "adelie==1.1.52")
FOLDS, ALPHAS, EPS = 5, 100, 1e-3


def data(n: int, p: int) -> tuple[Any, Any]:
    """Correlated columns (0.36), ten to thirty true inputs."""
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, p))
    X *= 0.8
    X += 0.6 * rng.standard_normal((n, 1))
    true = rng.choice(p, size=max(10, min(30, p // 60)), replace=False)
    y = X[:, true] @ rng.standard_normal(len(true)) + rng.standard_normal(n)
    return X, y


def glmnet(X: Any, y: Any) -> None:
    """python-glmnet's own cross-validation."""
    from glmnet import ElasticNet

    ElasticNet(alpha=1.0, n_lambda=ALPHAS, min_lambda_ratio=EPS, n_splits=FOLDS, n_jobs=1).fit(X, y)


def celer(X: Any, y: Any) -> None:
    """celer's LassoCV."""
    from celer import LassoCV

    LassoCV(eps=EPS, n_alphas=ALPHAS, cv=FOLDS, n_jobs=1).fit(standardized(X), y)


def skglm(X: Any, y: Any) -> None:
    """skglm has no cross-validation: its path solver on every fold and on all rows."""
    from skglm.datafits import Quadratic
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD

    Z, t = np.asfortranarray(standardized(X)), y - y.mean()
    top = np.abs(Z.T @ t).max() / len(Z)
    alphas = top * np.geomspace(1.0, EPS, ALPHAS)
    fold = np.arange(len(Z)) * FOLDS // len(Z)
    solver = AndersonCD(tol=1e-4, warm_start=True, fit_intercept=False)
    for held in [*range(FOLDS), None]:
        keep = fold != held if held is not None else slice(None)
        part = np.asfortranarray(Z[keep])
        datafit, penalty = Quadratic(), L1(1.0)
        datafit.initialize(part, t[keep])
        coefs = solver.path(part, t[keep], datafit, penalty, alphas)[1]
        if held is not None:
            np.mean((t[~keep, None] - Z[~keep] @ coefs) ** 2, axis=0)


def adelie(X: Any, y: Any) -> None:
    """adelie's cross-validation, then the path on all rows."""
    import adelie as ad

    Z = np.asfortranarray(standardized(X))
    options = {"lmda_path_size": ALPHAS, "min_ratio": EPS, "progress_bar": False, "early_exit": False}
    ad.cv.cv_grpnet(ad.matrix.dense(Z), ad.glm.gaussian(y), n_folds=FOLDS, n_threads=1, **options)
    ad.grpnet(ad.matrix.dense(Z), ad.glm.gaussian(y), n_threads=1, **options)


def standardized(X: Any) -> Any:
    """Mean 0, deviation 1."""
    return (X - X.mean(axis=0)) / X.std(axis=0)


def measure(n: int, p: int) -> None:
    """One JSON line a peer; a first run on few rows leaves compilation out."""
    X, y = data(n, p)
    for peer in (glmnet, celer, skglm, adelie):
        entry: dict[str, Any] = {"peer": peer.__name__}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peer(*data(200, p))
                start = time.process_time()
                peer(X, y)
                entry["seconds"] = time.process_time() - start
        except Exception as error:
            entry["failed"] = f"{type(error).__name__}: {error}"[:200]
        print(json.dumps(entry), flush=True)


def main() -> None:
    """Install the peers, or measure them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", nargs="?", help="ROWSxCOLUMNS")
    parser.add_argument("--install", metavar="FOLDER", help="make an environment with the peers")
    options = parser.parse_args()
    if options.install:
        subprocess.run([sys.executable, "-m", "venv", options.install], check=True)
        subprocess.run([f"{options.install}/bin/pip", "install", "--quiet", "--only-binary=:all:", *PINS], check=True)
    elif options.shape:
        measure(*map(int, options.shape.split("x")))
    else:
        parser.error("give a shape such as 10000x50, or --install FOLDER")


if __name__ == "__main__":
    main()
