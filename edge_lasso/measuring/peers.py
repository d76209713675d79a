"""The same model in scikit-learn, skl2onnx with onnxruntime, and m2cgen, measured by the same probe as ours."""

from __future__ import annotations

import importlib.util
import io
import json
from typing import Any

import joblib
import numpy as np
from sklearn.linear_model import Lasso
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_lasso.measuring.measurement import Measurement, Subject, measure
from edge_lasso_runtime import Model

SECONDS = 2.0
ONE_THREAD = """o = onnxruntime.SessionOptions()
o.intra_op_num_threads = o.inter_op_num_threads = 1
s = onnxruntime.InferenceSession('model.onnx', o, providers=['CPUExecutionProvider'])
"""


def peers(X: Any, y: Any, alpha: float, link: str = "local", seconds: float = SECONDS) -> list[Measurement]:
    """Fit ``make_pipeline(StandardScaler(), Lasso(alpha))`` and measure what is usually deployed of it.

    Parameters
    ----------
    X : array of shape (rows, columns)
        Missing values become the column's mean.
    y : array of shape (rows,)
    alpha : float
    link : str
    seconds : float
        For each.
    """
    X = np.array(X, dtype=np.float64)
    X = np.where(np.isfinite(X), X, np.nanmean(np.where(np.isfinite(X), X, np.nan), axis=0))
    return measure(peer_subjects(make_pipeline(StandardScaler(), Lasso(alpha)).fit(X, y)), link, seconds)


def peer_subjects(pipeline: Pipeline) -> list[Subject]:
    """A fitted pipeline of StandardScaler and Lasso as every peer that is installed would run it.

    m2cgen writes the whole model and, as ``selected``, only the inputs with a coefficient.
    """
    scaler, lasso = (step for _, step in pipeline.steps)
    row = [float(value) for value in scaler.mean_]
    results = [_scikit_learn(pipeline, row)]
    if importlib.util.find_spec("skl2onnx") and importlib.util.find_spec("onnxruntime"):
        results.append(_skl2onnx(pipeline, row))
    if importlib.util.find_spec("m2cgen"):
        coef = lasso.coef_ / scaler.scale_
        intercept = float(lasso.intercept_ - coef @ scaler.mean_)
        used = np.flatnonzero(coef)
        results.append(_m2cgen("dense", coef, intercept, row))
        results.append(_m2cgen("selected", coef[used], intercept, [row[j] for j in used]))
    return results


def pipeline_of(model: Model) -> Pipeline | None:
    """``make_pipeline(StandardScaler(), Lasso())`` over all columns that computes a model, as if fitted.

    None for a model that it cannot express: several outputs, a link, terms that are not single numeric inputs.
    """
    output = model.outputs[0]
    plain = all(len(term.factors) == 1 and term.factors[0].plain for term in output.terms)
    if not plain or len(model.outputs) > 1 or output.link != "identity":
        return None
    width = len(model.columns)
    mean, scale, coef = np.zeros(width), np.ones(width), np.zeros(width)
    for feature in model.inputs:
        if feature.default is not None and feature.low is not None and feature.high is not None:
            mean[feature.column] = feature.default
            scale[feature.column] = max(feature.high - feature.low, 1e-12) / 12.0**0.5
    for term in output.terms:
        coef[model.inputs[term.factors[0].input].column] += term.coef
    scaler, lasso = StandardScaler(), Lasso()
    scaler.mean_, scaler.scale_, scaler.var_ = mean, scale, scale**2
    scaler.n_features_in_ = lasso.n_features_in_ = width
    scaler.n_samples_seen_, lasso.n_iter_ = 1000, 10
    lasso.coef_, lasso.intercept_ = coef * scale, float(output.intercept + coef @ mean)
    return make_pipeline(scaler, lasso)


def _subject(name: str, file: str, data: bytes, imports: str, loading: str, function: str, argument: str) -> Subject:
    target, _, variant = name.partition(":")
    stages = {
        "target": target,
        "variant": variant,
        "file": file,
        "imports": imports,
        "loading": loading,
        "function": function,
        "argument": argument,
    }
    entry = "peer.stages.json"
    return Subject(name, {entry: json.dumps(stages).encode(), file: data}, entry)


def _scikit_learn(pipeline: Pipeline, row: list[float]) -> Subject:
    stored = io.BytesIO()
    joblib.dump(pipeline, stored)
    imports = "import joblib, numpy, sklearn.linear_model, sklearn.pipeline"
    loading = f"m = joblib.load('model.joblib')\nx = numpy.array([{row!r}])"
    return _subject("scikit-learn:pipeline", "model.joblib", stored.getvalue(), imports, loading, "m.predict", "x")


def _skl2onnx(pipeline: Pipeline, row: list[float]) -> Subject:
    from skl2onnx import to_onnx

    data = to_onnx(pipeline, np.zeros((1, len(row)), dtype=np.float32)).SerializeToString()
    loading = f"{ONE_THREAD}x = {{'X': numpy.array([{row!r}], dtype=numpy.float32)}}"
    imports = "import numpy, onnxruntime"
    return _subject("skl2onnx:float32", "model.onnx", data, imports, loading, "lambda x: s.run(None, x)", "x")


def _m2cgen(variant: str, coef: Any, intercept: float, row: list[float]) -> Subject:
    import m2cgen

    lasso = Lasso()
    lasso.coef_, lasso.intercept_ = coef, intercept
    source = m2cgen.export_to_python(lasso).encode()
    return _subject(f"m2cgen:{variant}", "scored.py", source, "import scored", "pass", "scored.score", repr(row))
