"""Which scikit-learn estimators and pipelines are taken, by `from_sklearn` and by others, and whether they stay right.

    python benchmarks/pipelines.py [--json FILE] [--docs FILE] [--ours]

Each is fitted, converted, and its predictions compared with its own `predict` and `predict_proba` on rows that mix the
values of the training table, a missing reading for a missing one. "yes": as close as float64 allows (skl2onnx, m2cgen:
1 % of a standard deviation); "labels": a classifier's labels alone; "no": refused; "wrong".
m2cgen takes numbers without gaps and estimators without pipelines: it gets the last step and scaled rows.
`--docs` writes the table of docs/reference/pipelines.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent / "cases"))

from pipeline_cases import Case, estimator_cases, pipeline_cases

from edge_lasso import from_sklearn
from edge_lasso.errors import DataError
from edge_lasso_runtime import Model, predict

Array = npt.NDArray[Any]
ROWS = 40
CLOSE, SINGLE = 1e-9, 1e-2
GROUPS = (("estimators", estimator_cases), ("pipelines", pipeline_cases))


@dataclass(frozen=True)
class Outcome:
    """What became of a case: "yes", "labels", "no" or "wrong", and why."""

    name: str
    result: str
    why: str = ""


def trial_rows(case: Case) -> Any:
    """Rows whose columns are shuffled apart."""
    rng = np.random.default_rng(7)
    if hasattr(case.X, "iloc"):
        return case.X.apply(lambda column: rng.permutation(column.to_numpy()))[:ROWS]
    return np.stack([rng.permutation(column) for column in case.X.T], axis=1)[:ROWS]


def truth(estimator: Any, rows: Any) -> tuple[Array, Array | None]:
    """Predictions, and probabilities where there are any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probable = hasattr(estimator, "predict_proba")
        return np.asarray(estimator.predict(rows)), np.asarray(estimator.predict_proba(rows)) if probable else None


def agrees(model: Model, estimator: Any, rows: Any, labels_only: bool) -> bool:
    """Whether a board predicts what the estimator does, row by row."""
    records = (
        rows.to_dict("records")
        if hasattr(rows, "iloc")
        else [dict(zip(model.columns, row, strict=True)) for row in rows]
    )
    results = [predict(model, record) for record in records]
    predicted, probabilities = truth(estimator, rows)
    if model.classes is None:
        values = np.array([result.values for result in results])
        wanted = predicted.reshape(values.shape)
        return bool(np.all(np.abs(values - wanted) <= CLOSE * wanted.std(axis=0) + 1e-12 * np.abs(wanted)))
    if [result.label for result in results] != [str(label) for label in predicted]:
        return False
    if labels_only or probabilities is None:
        return True
    return bool(np.allclose([result.values[-1] for result in results], probabilities[:, -1], rtol=0, atol=CLOSE))


def ours(case: Case, estimator: Any) -> Outcome:
    """By `from_sklearn`; of a classifier without a model of its probabilities, the labels."""
    try:
        model, result, why = from_sklearn(estimator, case.X), "yes", ""
        if model.classes is not None and model.provenance["compared"]["of"] == "labels":
            result = "labels"
    except DataError as error:
        why = str(error)
        if "probabilities=False" not in why:
            return Outcome(case.name, "no", why)
        model, result = from_sklearn(estimator, case.X, probabilities=False), "labels"
    right = agrees(model, estimator, trial_rows(case), result == "labels")
    return Outcome(case.name, result if right else "wrong", why)


def skl2onnx(case: Case, estimator: Any) -> Outcome:
    """By skl2onnx and onnxruntime."""
    import onnxruntime
    from skl2onnx import to_onnx

    rows = trial_rows(case)
    final = estimator
    while hasattr(final, "steps"):
        final = final.steps[-1][1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options = {id(final): {"zipmap": False}} if hasattr(final, "classes_") else None
            if hasattr(rows, "iloc"):
                graph = to_onnx(estimator, initial_types=_types(rows), options=options)
                feed = {name: _fed(rows[name]) for name in rows}
            else:
                graph = to_onnx(estimator, rows[:1].astype(np.float32), options=options)
                feed = {"X": rows.astype(np.float32)}
        results = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, feed)
    except Exception as error:
        return Outcome(case.name, "no", f"{type(error).__name__}: {str(error).splitlines()[0][:120]}")
    predicted, probabilities = truth(estimator, rows)
    if not hasattr(estimator, "classes_"):
        wanted = predicted.reshape(len(rows), -1)
        values = np.asarray(results[0]).reshape(len(rows), -1)
        return Outcome(case.name, "yes" if _near(values, wanted) else "wrong")
    if np.mean(np.asarray(results[0]).astype(str) == predicted.astype(str)) < 1.0:
        return Outcome(case.name, "wrong")
    if probabilities is None:
        return Outcome(case.name, "labels")
    return Outcome(case.name, "yes" if np.allclose(results[1], probabilities, atol=1e-3) else "wrong")


def _near(values: Array, wanted: Array) -> bool:
    spread = np.maximum(wanted.std(axis=0), 1e-6 * np.abs(wanted).max(axis=0))
    return values.shape == wanted.shape and bool(np.all(np.abs(values - wanted) <= SINGLE * spread))


def _types(rows: Any) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    kinds = {"f": FloatTensorType, "i": Int64TensorType}
    return [(name, kinds.get(rows[name].to_numpy().dtype.kind, StringTensorType)([None, 1])) for name in rows]


def _fed(column: Any) -> Array:
    values = column.to_numpy()
    kind = {"f": np.float32, "i": np.int64}.get(values.dtype.kind)
    return (values.astype(kind) if kind else values.astype(object)).reshape(-1, 1)


def m2cgen(case: Case, estimator: Any) -> Outcome:
    """By m2cgen, of the last step, in Python."""
    from m2cgen import export_to_python

    rows = trial_rows(case)
    last = estimator
    if hasattr(estimator, "steps"):
        last = estimator.steps[-1][1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = estimator[:-1].transform(rows) if hasattr(estimator, "steps") else rows
            scope: dict[str, Any] = {}
            exec(export_to_python(last), scope)
            values = np.array([scope["score"](list(row)) for row in np.asarray(rows, dtype=float)])
    except Exception as error:
        return Outcome(
            case.name, "no", f"{type(error).__name__}: {str(error).splitlines()[0][:120] if str(error) else ''}"
        )
    predicted, _ = truth(last, rows)
    if not hasattr(last, "classes_"):
        return Outcome(
            case.name, "yes" if _near(values.reshape(len(values), -1), predicted.reshape(len(values), -1)) else "wrong"
        )
    codes = (values > 0).astype(int) if values.ndim == 1 else values.argmax(axis=1)
    return Outcome(case.name, "labels" if (last.classes_[codes] == predicted).all() else "wrong")


def outcomes(cases: Iterable[Case], ways: dict[str, Callable[[Case, Any], Outcome]]) -> dict[str, list[Outcome]]:
    """What each way makes of each case."""
    results: dict[str, list[Outcome]] = {name: [] for name in ways}
    for case in cases:
        estimator = case.fitted()
        for name, way in ways.items():
            results[name].append(way(case, estimator))
    return results


def markdown(results: dict[str, list[Outcome]]) -> str:
    """The table of the documentation: what is taken, and why the rest is not."""
    lines = [
        "# Pipelines that `from_sklearn` takes",
        "",
        "Made by `python benchmarks/pipelines.py --ours --docs docs/reference/pipelines.md`; a test holds it to what",
        "happens. Each case is fitted, taken, and its predictions compared with its own on rows that mix the table's",
        "values. *labels*: the classifier's labels alone, because it has no probabilities, or none that are a logistic",
        "or softmax of its scores (then with `probabilities=False`).",
    ]
    for group, cases in results.items():
        taken = sum(case.result in ("yes", "labels") for case in cases)
        wrong = sum(case.result == "wrong" for case in cases)
        lines += ["", f"## {group.capitalize()}: {taken} of {len(cases)} taken, {wrong} wrong", ""]
        lines += ["| case | taken | why not |", "| --- | --- | --- |"]
        for case in cases:
            why = case.why if case.result == "no" else ""
            lines.append(f"| {_cell(case.name)} | {case.result} | {_cell(why)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--ours", action="store_true", help="without the others")
    options = parser.parse_args()
    ways: dict[str, Callable[[Case, Any], Outcome]] = {"edge-lasso": ours}
    if not options.ours:
        ways |= {"skl2onnx": skl2onnx, "m2cgen": m2cgen}
    results = {group: outcomes(cases(), ways) for group, cases in GROUPS}
    print("| of | by | yes | labels | no | wrong |\n| --- | --- | --- | --- | --- | --- |")
    for group, by in results.items():
        for name, cases in by.items():
            counts = [sum(case.result == kind for case in cases) for kind in ("yes", "labels", "no", "wrong")]
            print(f"| {len(cases)} {group} | {name} | " + " | ".join(map(str, counts)) + " |")
    if options.docs:
        options.docs.parent.mkdir(parents=True, exist_ok=True)
        options.docs.write_text(markdown({group: by["edge-lasso"] for group, by in results.items()}), encoding="utf-8")
    if options.json:
        plain = {group: {name: list(map(asdict, cases)) for name, cases in by.items()} for group, by in results.items()}
        options.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
