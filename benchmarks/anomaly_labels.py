"""Detectors on real rows with labels: the shuttle's anomalies, and an empty office in which somebody is.

    python benchmarks/anomaly_labels.py [--data DIR] [--only shuttle|office]

Shuttle (Statlog; in the package river: ``pip install river``) has no order in time, so rows are judged one by one.
Office: five sensors every minute, the minutes in which nobody is in are normal; DIR holds ``occupancy``. All detectors
have the same rows, smoothing, speeds and tracking; thresholds come from normal rows held out.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from anomaly_peers import judges
from anomaly_runs import DATA, STATED, counted, following, volume_under_pr
from sklearn.metrics import average_precision_score, roc_auc_score

from edge_lasso.detecting.calibrated import ChartOptions
from edge_lasso.detecting.fit_detector import DetectorOptions, fit_detector
from edge_lasso.detecting.thresholds import held
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.predicting.scores import Scorer
from edge_lasso_runtime.detector import KEY, watched


@dataclass
class Judged:
    """Scores of the rows that are judged; of normal rows held out; what is counted."""

    name: str
    scores: Any
    normal: Any
    size: int
    work: int


def ours(rows: Any, test: Any, ordered: bool) -> tuple[Judged, int]:
    """The detector with its defaults, and `track`."""
    names = [f"s{j}" for j in range(rows.shape[1])]
    chart = ChartOptions() if ordered else ChartOptions(smoothing=1.0, track=0)
    fit = fit_detector(lambda: [rows], len(rows), names, names, {}, DetectorOptions(chart=chart))
    section, inputs = fit.model.sections[KEY], [names.index(feature.name) for feature in fit.model.inputs]
    at = [names.index(name) for name in watched(fit.model)]
    scorer, coefs = Scorer(section), sum(len(output.terms) for output in fit.model.outputs)
    score = scorer.step(test[:, at] - linear_rows(fit.model, test[:, inputs])[0])[0]
    return Judged("ours", score, fit.scores, counted(fit.model), coefs + 8 * len(at)), section["track"]


def others(rows: Any, test: Any, ordered: bool, track: int) -> list[Judged]:
    """The peers, and what knows nothing."""
    noise = np.random.default_rng(0).random
    return [
        *(
            Judged(judge.peer.name, judge.scores([test])[0], judge.normal, judge.peer.size, judge.peer.work)
            for judge in judges(rows, track, ordered)
        ),
        Judged("control: random", noise(len(test)), noise(9999), 0, 0),
    ]


def judged(title: str, rows: Any, test: Any, y: Any, ordered: bool) -> None:
    """Print figures of all detectors."""
    entry, track = ours(rows, test, ordered)
    print(
        f"\n{title}\n{rows.shape[1]} sensors, {len(rows):,} normal rows fitted, {len(test):,} judged, prevalence "
        f"{y.mean():.3f}; levels {'' if track else 'not '}followed; smoothing {0.05 if ordered else 'none'}"
        f"\n{'':32}  AUC  prec.  VUS-PR  at 1 %: recall  false  following  events  found  delay     bytes       work"
    )
    onsets = np.flatnonzero(np.diff(y, prepend=0) > 0)
    ends = np.flatnonzero(np.diff(y, append=0) < 0) + 1
    for each in (entry, *others(rows, test, ordered, track)):
        limit = np.quantile(each.normal, 1.0 - STATED)
        hits = each.scores > limit
        text = f"{each.name:32} {roc_auc_score(y, each.scores):.3f}  {average_precision_score(y, each.scores):.3f}"
        if ordered:
            moved = following(float(limit), held(each.normal, 60.0), len(rows), each.scores)
            waits = [np.flatnonzero(hits[a:b]) for a, b in zip(onsets, ends, strict=True)]
            delays = [wait[0] for wait in waits if len(wait)]
            text += (
                f"   {volume_under_pr(each.scores, y):.3f}"
                f"          {hits[y == 1].mean():.3f}  {hits[y == 0].mean():.3f}"
                f"      {moved[y == 0].mean():.3f}  {len(onsets):6} {len(delays):6}"
                f" {np.median(delays) if delays else np.nan:6.0f}"
            )
        else:
            text += f"                  {hits[y == 1].mean():.3f}  {hits[y == 0].mean():.3f}".ljust(93)
        print(f"{text} {each.size:9,} {each.work:10,}", flush=True)


def shuttle() -> None:
    """Print figures on the shuttle's anomalies."""
    spec = importlib.util.find_spec("river")
    if spec is None or spec.origin is None:
        print("\nShuttle: not run; it comes with river (pip install river)")
        return
    with gzip.open(Path(spec.origin).parent / "datasets" / "shuttle.csv.gz", "rt") as lines:
        data = np.loadtxt(lines, delimiter=",", skiprows=1)
    X, y = data[:, :-1], data[:, -1].astype(int)
    normal = np.flatnonzero(y == 0)
    train = normal[: len(normal) // 2]
    rest = np.setdiff1d(np.arange(len(y)), train)
    title = (
        "Statlog (Shuttle), real readings of NASA; UCI ML Repository, doi:10.24432/C5WS31, CC BY 4.0; as in river "
        "(ODDS' selection)\nIN VIEW when the level channel was chosen; rows are shuffled: no history"
    )
    judged(title, X[train], X[rest], y[rest], False)


def office(folder: Path) -> None:
    """Print figures on an office."""

    def read(name: str) -> tuple[Any, Any]:
        with open(folder / f"{name}.txt") as lines:
            rows = np.array([line.replace('"', "").strip().split(",")[2:] for line in list(lines)[1:]], dtype=float)
        return rows[:, :-1], rows[:, -1].astype(int)

    X, y = read("datatraining")
    tests = [read("datatest"), read("datatest2")]
    title = (
        "Occupancy detection, an office (doi:10.24432/C5X01N, CC BY 4.0); the author's training rows without, and "
        "tests\nKEPT ASIDE: nothing was chosen with it"
    )
    judged(title, X[y == 0], np.vstack([t[0] for t in tests]), np.concatenate([t[1] for t in tests]), True)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA.parent, help="folder of the data sets")
    parser.add_argument("--only", choices=("shuttle", "office"))
    options = parser.parse_args()
    if options.only in (None, "shuttle"):
        shuttle()
    if options.only in (None, "office"):
        office(options.data / "occupancy")
    print(NOTES)


NOTES = """
prec.: average precision. At 1 %: threshold above which 1 % of normal rows held out are (ours: in turn; peers: the last
third, for a fit on the rest; shuttle: the first); recall: rows of faults in alarm, false: of the others; following:
the same with a threshold that follows. bytes, work: counted (see anomaly.py).
"""


if __name__ == "__main__":
    main()
