"""Truths that prediction intervals hold on later rows: simulated residuals, and real tables with their rows in order.

    python benchmarks/intervals.py [--data FOLDER] [--json FILE]

0.9 is asked for. Intervals are calibrated on rows that training has not seen, and judged on as many that come after
them: *plain* (two quantiles of residuals), *ours* as a model carries it (`edge_lasso.training.intervals`), and *ours,
following* the truths that come, as on a board. Of each, the part of truths held and the mean width over plain's;
terciles: what is held where predictions are small, middling, large.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from real_tables import own
from scipy.signal import lfilter

from edge_lasso import LassoRegressor
from edge_lasso.training.intervals import ADJUST, conformal
from edge_lasso_runtime import Input, Model, Output
from edge_lasso_runtime.interval import Reach, between

LEVEL, REPEATS = 0.9, 40


def autoregressive(rng: Any, n: int, phi: float) -> Any:
    """With deviation 1."""
    return lfilter([1.0], [1.0, -phi], rng.normal(size=n + 1000))[1000:] * np.sqrt(1.0 - phi**2)


SIMULATED: dict[str, Callable[[Any, int], Any]] = {
    "independent": lambda rng, n: rng.normal(size=n),
    "AR(.9)": lambda rng, n: autoregressive(rng, n, 0.9),
    "AR(.99)": lambda rng, n: autoregressive(rng, n, 0.99),
    "level shifts by 2 after calibration": lambda rng, n: rng.normal(size=n) + 2.0 * (np.arange(n) > 0.55 * n),
    "level jumps ten times (sd 1.5)": lambda rng, n: rng.normal(size=n) + np.repeat(1.5 * rng.normal(size=20), n // 20),
    "level wanders (sd .05 a row)": lambda rng, n: rng.normal(size=n) + 0.05 * np.cumsum(rng.normal(size=n)),
    "spread grows from 1 to 3": lambda rng, n: rng.normal(size=n) * np.linspace(1.0, 3.0, n),
}


def held(ends: Any, truth: Any) -> tuple[float, float]:
    """Part of truths inside, and mean width."""
    low, high = np.asarray(ends).T
    return float(np.mean((truth >= low) & (truth <= high))), float(np.mean(high - low))


def judged(residual: Any, prediction: Any) -> dict[str, Any]:
    """Intervals of the first half of the rows on the second."""
    half = len(residual) // 2
    section = conformal(residual[:half, None], LEVEL, prediction[:half, None], ordered=True)
    chosen = [name for name in ("slope", "half_life") if name in section]
    model = Model(("x",), (Input("x", 0, 0.0, 0.0, 1.0),), (Output("y", 0.0, ()),), sections={"interval/1": section})
    following = model.replace(sections={"interval/1": {**section, "adjust": ADJUST}})
    later, truth = prediction[half:], residual[half:] + prediction[half:]
    low, high = np.quantile(residual[:half], [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    fixed = [between(model, [y])[0] for y in later.tolist()]
    reach, moving = Reach(following), []
    for y, known in zip(later.tolist(), truth.tolist(), strict=True):
        ends = between(following, [y], None, reach)
        reach.follow(ends, [known])
        moving += ends
    plain = np.column_stack([later + low, later + high])
    thirds = np.array_split(np.argsort(later, kind="stable"), 3)
    return {
        "chosen": chosen,
        "plain": held(plain, truth),
        "ours": held(fixed, truth),
        "following": held(moving, truth),
        "thirds": [[held(np.asarray(ends)[at], truth[at])[0] for at in thirds] for ends in (plain, fixed)],
    }


def real(data: Path | None) -> Iterator[tuple[str, Any, Any]]:
    """Residuals and predictions of the last half of the rows, trained on the first with folds in time."""
    for table in own(data) if data else ():
        n = len(table.y) // 2
        model = LassoRegressor(max_inputs=6, cv="time").fit(table.X[:n], table.y[:n])
        prediction = model.predict(table.X[n:])
        yield table.name, table.y[n:] - prediction, prediction


def show(name: str, results: list[dict[str, Any]]) -> None:
    """A line: means over the repeats."""
    widths = np.mean([result["plain"][1] for result in results])
    parts = [
        f"{np.mean([result[kind][0] for result in results]):.3f} / "
        f"{np.mean([result[kind][1] for result in results]) / widths:4.2f}"
        for kind in ("plain", "ours", "following")
    ]
    chosen = [f"{what} {np.mean([what in result['chosen'] for result in results]):.0%}" for what in
              ("slope", "half_life")]  # fmt: skip
    thirds = [
        "/".join(f"{part:.2f}" for part in np.mean([result["thirds"][k] for result in results], axis=0)) for k in (0, 1)
    ]
    print(f"{name:36} {'   '.join(parts)}   {thirds[0]} {thirds[1]}   {', '.join(chosen)}", flush=True)


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the project's data sets")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    rng, lines = np.random.default_rng(0), {}
    print(f"{'':36} plain: held / width  ours           following      thirds: plain, ours          with")
    for n in (400, 2000):
        for name, make in SIMULATED.items():
            lines[f"{name}, {n}"] = [judged(make(rng, 2 * n), np.zeros(2 * n)) for _ in range(REPEATS)]
    for n in (400, 2000):
        results = []
        for _ in range(REPEATS):
            prediction = np.abs(rng.normal(size=2 * n)) * 3.0
            results.append(judged(rng.normal(size=2 * n) * (0.2 + prediction), prediction))
        lines[f"spread grows with the prediction, {n}"] = results
    for name, residual, prediction in real(options.data):
        lines[name] = [judged(residual, prediction)]
    for name, results in lines.items():
        show(name, results)
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()
