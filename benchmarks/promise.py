"""What later rows make of the stated rate of false alarms: simulated plants, and later rows of real sets.

    python benchmarks/promise.py [--data DIR] [--seeds N] [--real]

A plant has six sensors of two slow causes, a row every three minutes; 20,000 rows are fitted and 40,000 judged, per
seed. Heavy tails: Student's t with 3 degrees of freedom; clusters: noise whose variance follows a GARCH(1, 1); seasons:
of a day, and one four times as long as the rows; steps: the level of a sensor changes for good, every 8,000 rows or so;
growth: noise becomes twice as large, smoothly. ``--real``: DIR's Beijing (fine dust) and house, three splits each.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from anomaly_runs import DATA
from anomaly_sensors import table
from scipy.signal import lfilter

from edge_lasso.detecting.calibrated import ChartOptions, calibrated
from edge_lasso.detecting.episodes import episodes
from edge_lasso.detecting.fit_detector import DetectorOptions, fit_detector
from edge_lasso.detecting.following import followed
from edge_lasso.detecting.thresholds import SECONDS, parse_rate
from edge_lasso.errors import DataError
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.predicting.scores import scores
from edge_lasso_runtime.detector import KEY, watched

STEP, FITTED, LATER = 180.0, 20_000, 40_000
PLANTS = ("steady", "heavy tails", "clusters", "seasons", "steps", "growth")
RATES = ("0.01", "0.001", "1/day")
MODES = {"as is": None, "follows": 0.05, "stays": 0.0}
MIXING = np.array([[1.0, 1.0, 0.5, 0.0, -1.0, 0.3], [0.0, 0.5, 1.0, 1.0, 0.5, -1.0]])


def plant(kind: str, seed: int, rows: int) -> Any:
    """Rows of a simulated plant."""
    rng = np.random.default_rng([seed, PLANTS.index(kind)])
    shape = (rows, 8)
    shocks = rng.standard_t(3, shape) / np.sqrt(3.0) if kind == "heavy tails" else rng.standard_normal(shape)
    if kind == "clusters":
        variance, squares = 1.0, rng.standard_normal(rows) ** 2
        for t in range(rows):  # 0.02 + 0.1 e^2 + 0.88 h, e^2 = h chi2
            shocks[t] *= np.sqrt(variance)
            variance = 0.02 + (0.1 * squares[t] + 0.88) * variance
    causes = lfilter([np.sqrt(1.0 - 0.95**2)], [1.0, -0.95], shocks[:, :2], axis=0)
    noise = lfilter([0.8], [1.0, -0.6], shocks[:, 2:], axis=0)
    time = np.arange(rows)
    if kind == "seasons":
        causes += np.sin(2.0 * np.pi * time / 480.0)[:, None] + 2.0 * np.sin(np.pi * time / (2.0 * rows))[:, None]
    if kind == "growth":
        noise *= (1.0 + time / rows)[:, None]
    if kind == "steps":
        for at in np.flatnonzero(rng.random(rows) < 1.0 / 8000.0):
            noise[at:, rng.integers(6)] += rng.normal()
    return causes @ MIXING + 0.3 * noise


def real(folder: Path) -> Iterator[tuple[str, Any, Any, float]]:
    """Rows fitted and later rows of real sets, and seconds from row to row."""
    _, dust = table(folder / "beijing_air" / "beijing_air.csv.gz", lambda name: name.endswith(".PM2.5"))
    house = table(
        folder / "appliances_energy" / "appliances_energy.csv.gz", lambda name: name[0] in "TR" and name[1:2] in "123H_"
    )[1]
    for name, rows, step in (("Beijing", dust, 3600.0), ("house", house, 600.0)):
        for part in (0.4, 0.5, 0.6):
            n = int(part * len(rows))
            yield name, rows[:n], rows[n : n + int(0.4 * len(rows))], step


def judged(fitted: Any, later: Any, step: float) -> Iterator[tuple[str, str, Any]]:
    """Mode, rate, and over stated: rows in alarm and onsets, also of the first day; None where it was refused."""
    names = [f"s{j}" for j in range(fitted.shape[1])]
    fit = fit_detector(lambda: [fitted], len(fitted), names, names, {}, DetectorOptions(step_seconds=step))
    at, inputs = ([names.index(name) for name in every] for every in (watched(fit.model), map(_name, fit.model.inputs)))
    residuals = later[:, at] - linear_rows(fit.model, later[:, inputs])[0]
    weights = np.array([sensor["weight"] for sensor in fit.model.sections[KEY]["watched"]])
    day = round(SECONDS["day"] / step)
    for mode, adjust in MODES.items():
        for text in RATES:
            rate, options = parse_rate(text), ChartOptions(adjust=adjust)
            try:
                section = calibrated([names[j] for j in at], fit.residuals, options, rate, step, weights=weights)[0]
            except DataError:
                yield mode, text, None
                continue
            score = scores(residuals, section)[0][section["warm_up"] :]
            limit = section["threshold"]
            if "adjust" in section:
                model = fit.model.replace(sections={**fit.model.sections, KEY: section})
                hits = followed(model, score)[0]
            else:
                hits = score > limit["score"]
            stated = limit["row_rate"] if rate.per != "row" else rate.value
            onsets = episodes(hits, limit["hold"]) * day / len(hits)
            also = limit["also"]["rate"] if rate.per == "row" else rate.value
            yield mode, text, (hits.mean() / stated, onsets / also if also else np.nan, hits[:day].mean() / stated)


def _name(feature: Any) -> str:
    return str(feature.name)


def shown(title: str, results: list[tuple[str, str, Any]]) -> None:
    """Print medians of found over stated, and how often it is beyond three times."""
    for mode in MODES:
        for rate in RATES:
            every = [entry for which, text, entry in results if (which, text) == (mode, rate)]
            some = np.array([entry for entry in every if entry is not None])
            line = f"{title:12} {mode:8} {rate:>6} {len(every) - len(some):4} of {len(every):2}"
            if len(some):
                rows, onsets, first = np.nanmedian(some, axis=0)
                beyond = 100.0 * (some[:, :2] > 3.0).mean(axis=0)
                line += f" {rows:10.2f} {beyond[0]:7.0f} % {onsets:10.2f} {beyond[1]:7.0f} % {first:10.2f}"
            print(line, flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA.parent, help="folder of the data sets")
    parser.add_argument("--seeds", type=int, default=3, help="of each plant")
    parser.add_argument("--plants", default=",".join(PLANTS), help="which, with commas between; none for an empty text")
    parser.add_argument("--real", action="store_true", help="later rows of real sets, too")
    options = parser.parse_args()
    print(f"{'':36} found over stated, median, and beyond 3 x\n{'':22} rate  refused  rows in alarm", end="")
    print("              onsets            first day")
    everything = []
    for kind in filter(None, options.plants.split(",")):
        results = []
        for seed in range(options.seeds):
            rows = plant(kind, seed, FITTED + LATER)
            results += list(judged(rows[:FITTED], rows[FITTED:], STEP))
        shown(kind, results)
        everything += results
    if everything:
        shown("all plants", everything)
    if options.real:
        sets: dict[str, list[tuple[str, str, Any]]] = {}
        for name, fitted, later, step in real(options.data):
            sets.setdefault(name, []).extend(judged(fitted, later, step))
        for name, results in sets.items():
            shown(name, results)


if __name__ == "__main__":
    main()
