"""Anomaly detectors on Tennessee Eastman, a simulated plant: sparse residuals beside PCA, forest, z-scores, controls.

    python benchmarks/anomaly.py [--data DIR] [--integers]

DIR holds ``d00`` (500 normal rows, stored transposed; all that is fitted), ``d00_te`` (960 normal rows) and seven runs
with one fault each from row 161 on; a row every three minutes. Ours runs row by row in the reference, its peers through
numpy and scikit-learn with the same treatment: the statistic of the row plus that of its moving average (0.05), each
divided by its mean on ``d00``, smoothed by 0.05; or the statistic of the row alone where that is more, both at the same
99 % quantile of ``d00``. A run is entered with the state a detector had after some row of
``d00_te``; figures are means over eight such rows. (Started at zero, smoothing alone tells late rows from early ones.)

``--integers`` compares our detector with itself in int16 instead: `step` in floating point, `step_q` in integers alone.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import copy  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from anomaly_peers import controls, pca, peers  # noqa: E402
from anomaly_runs import ALPHA, DATA, ENTRIES, FAULTS, NORMAL, WARM_UP, Result, counted, line, load, per_run  # noqa: E402
from detector_bytes import on_core  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402

from edge_lasso import ResidualDetector  # noqa: E402
from edge_lasso.compressing.quantize import quantize  # noqa: E402
from edge_lasso_devices.cores import open_core  # noqa: E402
from edge_lasso_devices.errors import BoardError  # noqa: E402
from edge_lasso_runtime.fixed_detector import KEY as INTEGERS  # noqa: E402
from edge_lasso_runtime.fixed_detector import readings_q, start_q, step_q  # noqa: E402
from edge_lasso_runtime.model import Model  # noqa: E402
from edge_lasso_runtime.step import start, step  # noqa: E402

SHORT_ENTRIES = (400, 960)  # for --integers
FORGOTTEN = 200  # rows after which a detector has forgotten a reading: (1 - 0.05)^200


def ours(name: str, fitted: Any, normal: Any, runs: Any, **options: Any) -> Result:
    """The residual detector, run in the reference from its model alone."""
    model = ResidualDetector(smoothing=ALPHA, **options).fit(fitted).model_
    state, saved, scores = start(model), {}, []
    took = []
    for i, row in enumerate(normal.tolist(), 1):
        began = time.perf_counter()
        result, _ = step(model, state, row)
        took.append(time.perf_counter() - began)
        scores.append(result.score)
        if i in ENTRIES:
            saved[i] = copy.deepcopy(state)
    entries = [[scores_from(model, copy.deepcopy(saved[at]), run) for run in runs] for at in ENTRIES]
    coefs = sum(len(output.terms) for output in model.outputs)
    bytes_there, instructions = compiled(model, row=normal[0])
    return Result(
        name, np.array(scores), np.array(entries), coefs, counted(model), np.median(took) * 1e6, bytes_there,
        coefs + 8 * len(model.outputs), instructions,
    )  # fmt: skip


def scores_from(model: Model, state: Any, rows: Any) -> list[float]:
    """Scores of rows that follow on a state."""
    return [step(model, state, row)[0].score for row in rows.tolist()]


def agreement(name: str, fitted: Any, normal: Any, runs: Any, y: Any, margin: float, **options: Any) -> str:
    """How near `step_q` of the quantized detector is to `step` of the one that was trained, row by row."""
    model = ResidualDetector(smoothing=ALPHA, **options).fit(fitted).model_
    fixed = quantize(model, "int16", margin=margin)
    unit = fixed.sections[INTEGERS]["unit"]

    def follow(states: list[Any], rows: Any) -> Any:
        """Per row: both scores, both alarms, rows since a reading was last out of its range."""
        results = []
        for row in rows.tolist():
            entry, _ = step(model, states[0], row)
            two, _ = step_q(fixed, states[1], readings_q(fixed, row))
            states[2] = 0 if "out of range" in two.faults.values() else states[2] + 1
            results.append((entry.score, two.score / max(two.total, 1) * unit, entry.alarm, two.alarm, states[2]))
        return np.array(results)

    states, saved = [start(model), start_q(fixed), 0], {}
    for i in range(len(normal)):
        follow(states, normal[i : i + 1])
        if i + 1 in SHORT_ENTRIES:
            saved[i + 1] = copy.deepcopy(states)
    values = np.array([[follow(copy.deepcopy(saved[at]), run) for run in runs] for at in SHORT_ENTRIES])
    aucs = [per_run(roc_auc_score, values[..., which], y).mean() for which in (0, 1)]
    same = 100.0 * (values[..., 2] == values[..., 3]).mean()
    off = np.abs(values[..., 0] - values[..., 1])
    inside = values[..., 4] > FORGOTTEN
    bounds = sorted(sensor["bound"] for sensor in fixed.sections[INTEGERS]["watched"])
    return (
        f"{name:26s} {margin:6g} {aucs[0]:9.4f} {aucs[1]:7.4f} {same:9.2f} % {off.max():9.3f} "
        f"{100.0 * (values[..., 4] == 0).mean():10.1f} % {100.0 * inside.mean():8.1f} % {off[inside].max():10.4f} "
        f"{bounds[len(bounds) // 2]:9.4f} {bounds[-1]:7.4f} {compiled(fixed, 'step_q')[0] or 0:9,}"
    )


def compiled(model: Model, variant: str = "float", row: Any = None) -> tuple[int | None, int | None]:
    """Bytes of the C artifact on a Cortex-M0+: code, tables, soft float, state; and instructions of a row, emulated."""
    try:
        flash, ram, instructions, _ = on_core(open_core("cortex-m0plus"), model, variant, row)
    except BoardError:
        return None, None
    return flash + ram, instructions


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the .dat.gz files")
    parser.add_argument("--integers", action="store_true", help="only compare step with step_q")
    options = parser.parse_args()
    fitted, normal = load(options.data, "d00").T, load(options.data, "d00_te")
    runs = [load(options.data, f"{name}_te") for name in FAULTS]
    y = np.r_[np.zeros(NORMAL), np.ones(len(runs[0]) - NORMAL)]
    if options.integers:
        print(
            f"{'':33s} AUC step  step_q  same alarm    largest  out of range     calm    largest     bound largest"
            "  compiled\n"
            f"{'':26s} margin                             difference                  rows difference  (median)"
        )
        for coefs, lags, margin in ((100, 1, 0.1), (100, 1, 1.0), (60, 1, 0.1), (60, 1, 1.0), (60, 0, 1.0)):
            name = f"{coefs} coefficients, {lags or 'no'} earlier row{'' if lags == 1 else 's'}"
            print(agreement(name, fitted, normal, runs, y, margin, max_coefs=coefs, lags=lags), flush=True)
        print(INTEGER_NOTES)
        return
    mean, deviation = fitted.mean(axis=0), fitted.std(axis=0)
    z, z_normal, z_runs = ((x - mean) / deviation for x in (fitted, normal, np.array(runs)))
    print(f"Tennessee Eastman, a simulated plant: {len(fitted)} normal rows fitted, seven runs of {len(y)} rows.")
    print(f"Average precision of calling every row a fault: {y.mean():.3f} (the prevalence).")
    print(
        f"\n{'':39s} mean AUC (by entry)    {'   '.join(FAULTS)}    prec.  VUS-PR  false alarms/day    found  delay"
        " at 1 %: recall, false    bytes     work       us compiled  instructions"
    )
    for label, choice in (
        ("ours", {"max_coefs": 100, "lags": 1}),
        ("ours", {"max_coefs": 60, "lags": 1}),
        ("ours, no earlier rows", {"max_coefs": 100}),
        ("ours, no earlier rows", {"max_coefs": 60}),
    ):
        print(line(ours(label, fitted, normal, runs, **choice), y), flush=True)
    for peer in (*peers(z), pca("Q", 0.99, z, " (best of 24)")):
        print(line(peer.run(z, z_normal, z_runs), y), flush=True)
    for control in controls(len(y)):
        print(line(control, y))
    print(NOTES)
    limit = ResidualDetector(smoothing=ALPHA, max_coefs=100, lags=1).fit(fitted)
    alarms = -limit.score_samples(normal)[WARM_UP:] > limit.threshold_.score
    print(
        f"A threshold from d00 alone (25 hours: its highest held-out score) promises at most "
        f"{limit.threshold_.high:.2f} of the rows in alarm; on d00_te it is {alarms.mean():.2f} of them."
    )


NOTES = """
false alarms/day: threshold at the highest score of d00_te (48 hours that no fit has seen), alarms counted on the 160
  normal rows of the seven runs (56 hours), with the 95 % interval of that count; found, delay: of 7 faults at that
  threshold, and the median of the rows until then. Precision: average precision. At 1 %: threshold above which 1 % of
  d00_te are; recall, rows of faults in alarm; false, of the runs' 160 normal rows.
bytes: of the numbers as float32, indices as 1 byte, with the averages that are kept; no code; counted. work:
  multiplications and comparisons of a row; counted. us: median per reading, one row at a time, measured: ours in the
  pure Python reference, peers in numpy or scikit-learn. compiled, instructions: flash and RAM, and a row of our C on an
  emulated Cortex-M0+ (c:float): soft float and checks of every reading, too; peers have no C here.
Ours has its defaults, whose speeds were first chosen with these faults in view, so that its figures are optimistic; so
  is the PCA that is the best of 24 settings (T2, Q, both; 30 to 99 % of the variance) on these faults. The others are
  as they come. Half-space trees (river's) learn the normal rows and then stay as they are.
"""
INTEGER_NOTES = """
margin: by how much of their width the ranges of the 500 normal rows are widened on both sides (quantize --margin). What
  lies beyond is cut to them in integers, and read as it is in floating point; out of range: rows with such a reading;
  calm rows: those at least 200 rows after the last one. Difference: of the two scores.
bound: proven, of a residual, in units of its scale. Four of the 52 sensors are nearly copies of another (a command and
  its valve): their residuals are a 20,000th of their ranges, so that a step of an int16 is two fifths of a scale.
"""


if __name__ == "__main__":
    main()
