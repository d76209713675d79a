"""Training side by side with its peers, as ratios within one run: one thread against one thread, CPU time.

    python benchmarks/training.py [--wide] [--short] [--peers PYTHON] [--json FILE]

Each line has, of the same array in the same process: one ``X.T @ X``; ours with everything included (standardizing, 100
alphas, 5 folds, choice, refit, model); and each peer. `--peers` adds those of `training_peers.py`, run by that Python.
`--wide` adds 2e4 x 2000 and shapes with more columns than rows.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.linear_model import LassoCV, LassoLarsCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from training_peers import data  # noqa: E402

from edge_lasso.estimators.regressor import LassoRegressor  # noqa: E402

TALL = [(10_000, 50), (100_000, 50), (1_000_000, 50)]
WIDE = [(20_000, 2000), (500, 5000), (60, 400)]
TARGETS = {(10_000, 50): 6, (100_000, 50): 30, (1_000_000, 50): 60, (20_000, 2000): 8, (500, 5000): 1, (60, 400): 2}


def cpu(work: Callable[[], Any], repeat: int) -> tuple[float, float, Any]:
    """Best CPU time of `repeat` runs, its wall time, and the last result."""
    best = (float("inf"), float("inf"))
    result = None
    for _ in range(repeat):
        start, wall = time.process_time(), time.perf_counter()
        result = work()
        best = min(best, (time.process_time() - start, time.perf_counter() - wall))
    return *best, result


def peers(p: int) -> dict[str, Callable[[Any, Any], Any]]:
    """Solvers of the same problem."""
    return {
        "LassoCV": lambda X, y: make_pipeline(StandardScaler(), LassoCV(cv=5, alphas=100)).fit(X, y),
        **(
            {"LassoLarsCV": lambda X, y: make_pipeline(StandardScaler(), LassoLarsCV(cv=5)).fit(X, y)}
            if p < 500
            else {}
        ),
    }


def line(n: int, p: int, short: bool, python: str | None) -> dict[str, Any]:
    """Measure one shape."""
    X, y = data(n, p)
    repeat = 1 if n * p > 10_000_000 else 5
    product, _, _ = cpu(lambda: X.T @ X, max(repeat, 3))
    ours, wall, model = cpu(lambda: LassoRegressor().fit(X, y), max(repeat, 2))
    plain, _, lasso = cpu(lambda: LassoRegressor(select="min", refit=False).fit(X, y), max(repeat, 2))
    result = {
        "rows": n,
        "columns": p,
        "XtX_s": product,
        "ours_s": ours,
        "ours_wall_s": wall,
        "ours_lasso_only_s": plain,
        "ours_per_XtX": ours / product,
        "inputs": len(model.model_.inputs),
        "path_ended": lasso.path_.ended,
        "alphas_solved": len(lasso.path_.alphas),
        "target_per_LassoCV": TARGETS[n, p],
        "peers": {},
    }
    for name, fit in {} if short else peers(p).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            seconds, _, fitted = cpu(lambda fit=fit: fit(X, y), 1 if seconds_of(result, "LassoCV") > 1 else 2)
        step = fitted[-1]
        errors = step.mse_path_.mean(axis=1)
        result["peers"][name] = {
            "seconds": seconds,
            "ratio": seconds / ours,
            "ratio_lasso_only": seconds / plain,
            "alpha": float(step.alpha_),
            "our_alpha": float(lasso.alpha_),
            "cv_error_difference": float(np.nanmin(errors) / lasso.cv_error_ - 1.0),
        }
    for text in others(n, p, python):
        outcome = json.loads(text)
        seconds = outcome.get("seconds")
        more = {"ratio": seconds / ours, "ratio_lasso_only": seconds / plain} if seconds else {}
        result["peers"][outcome.pop("peer")] = {**outcome, **more}
    return result


def others(n: int, p: int, python: str | None) -> list[str]:
    """What the peers in an environment of their own say."""
    if python is None:
        return []
    script = Path(__file__).with_name("training_peers.py")
    done = subprocess.run([python, str(script), f"{n}x{p}"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def seconds_of(result: dict[str, Any], peer: str) -> float:
    """What a peer took, if it ran."""
    return float(result["peers"].get(peer, {}).get("seconds", 0.0))


def show(result: dict[str, Any]) -> None:
    """Print one line and its peers."""
    shape = f"{result['rows']:>9,} x {result['columns']:<5}"
    print(
        f"{shape} X'X {result['XtX_s'] * 1e3:9.1f} ms   ours {result['ours_s'] * 1e3:9.1f} ms "
        f"= {result['ours_per_XtX']:6.1f} X'X   lasso only {result['ours_lasso_only_s'] * 1e3:9.1f} ms   "
        f"wall {result['ours_wall_s'] * 1e3:9.1f} ms   {result['alphas_solved']} alphas ({result['path_ended']})",
        flush=True,
    )
    for name, peer in result["peers"].items():
        if "alpha" not in peer:
            took = (
                f"{peer['seconds'] * 1e3:9.1f} ms = {peer['ratio']:6.1f} x ours"
                if "seconds" in peer
                else peer["failed"]
            )
            print(f"{'':17} {name:12} {took}", flush=True)
            continue
        target = f" (target {result['target_per_LassoCV']})" if name == "LassoCV" else ""
        print(
            f"{'':17} {name:12} {peer['seconds'] * 1e3:9.1f} ms = {peer['ratio']:6.1f} x ours{target}, "
            f"{peer['ratio_lasso_only']:.1f} x lasso only; alpha {peer['alpha']:.6g} / {peer['our_alpha']:.6g}, "
            f"CV error differs by {peer['cv_error_difference']:.1e}",
            flush=True,
        )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wide", action="store_true", help="also 2e4 x 2000 and more columns than rows")
    parser.add_argument("--short", action="store_true", help="without peers")
    parser.add_argument("--peers", metavar="PYTHON", help="also the peers of training_peers.py, run by this Python")
    parser.add_argument("--shape", action="append", help="only this ROWSxCOLUMNS (repeatable)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    shapes = TALL + (WIDE if options.wide else [])
    if options.shape:
        shapes = [shape for shape in TALL + WIDE if f"{shape[0]}x{shape[1]}" in options.shape]
    print(f"numpy {np.__version__}, scikit-learn {sklearn.__version__} (gap-safe screening since 1.8)")
    results = []
    for n, p in shapes:
        results.append(line(n, p, options.short, options.peers))
        show(results[-1])
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
