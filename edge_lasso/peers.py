"""The same model in scikit-learn, skl2onnx and m2cgen, to be measured by the same probe beside ours."""

from __future__ import annotations

import importlib.util
import io
import json
from dataclasses import dataclass
from typing import Any

import joblib
import numpy as np
from sklearn.linear_model import Lasso
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_lasso_runtime import Model

ONE_THREAD = (
    "o = onnxruntime.SessionOptions()\no.intra_op_num_threads = o.inter_op_num_threads = 1\n"
    "s = onnxruntime.InferenceSession('model.onnx', o)"
)


@dataclass(frozen=True)
class Peer:
    """One peer's files; the first is ``NAME.stages.json``, which the probe reads."""

    target: str
    variant: str
    files: dict[str, bytes]


def peers(model: Model) -> list[Peer]:
    """The peers that are installed, for a model they can all express; none for another.

    Parameters
    ----------
    model : Model
        One output without a link, whose terms are single numeric inputs.
    """
    plain = all(
        len(term.factors) == 1 and term.factors[0].category is None for out in model.outputs for term in out.terms
    )
    if not plain or len(model.outputs) > 1 or model.outputs[0].link != "identity":
        return []
    row = [0.0] * len(model.columns)
    for one in model.inputs:
        row[one.column] = float(one.default or 0.0)
    found = [_scikit_learn(model, row)]
    if importlib.util.find_spec("skl2onnx") and importlib.util.find_spec("onnxruntime"):
        found.append(_skl2onnx(model, row))
    if importlib.util.find_spec("m2cgen"):
        found += [_m2cgen(model, row, "dense"), _m2cgen(model, [row[one.column] for one in model.inputs], "selected")]
    return found


def pipeline(model: Model) -> Pipeline:
    """``make_pipeline(StandardScaler(), Lasso())`` over all columns, as if fitted, that computes the model."""
    width = len(model.columns)
    mean, scale = np.zeros(width), np.ones(width)
    for one in model.inputs:
        mean[one.column] = one.default
        scale[one.column] = max(float(one.high or 0.0) - float(one.low or 0.0), 1e-12) / 12.0**0.5
    scaler, lasso = StandardScaler(), Lasso()
    scaler.mean_, scaler.scale_, scaler.var_ = mean, scale, scale**2
    scaler.n_features_in_ = lasso.n_features_in_ = width
    scaler.n_samples_seen_, lasso.n_iter_ = 1000, 10
    coef = _coef(model)
    lasso.coef_, lasso.intercept_ = coef * scale, float(model.outputs[0].intercept + coef @ mean)
    return make_pipeline(scaler, lasso)


def _coef(model: Model) -> Any:
    coef = np.zeros(len(model.columns))
    for term in model.outputs[0].terms:
        coef[model.inputs[term.factors[0].input].column] += term.coef
    return coef


def _peer(target: str, variant: str, file: str, data: bytes, *stages: str) -> Peer:
    names = ("imports", "loading", "function", "argument")
    about = {"target": target, "variant": variant, "file": file, **dict(zip(names, stages, strict=True))}
    return Peer(target, variant, {f"{target}.stages.json": json.dumps(about).encode(), file: data})


def _scikit_learn(model: Model, row: list[float]) -> Peer:
    stored = io.BytesIO()
    joblib.dump(pipeline(model), stored)
    loading = f"m = joblib.load('model.joblib')\nx = numpy.array([{row!r}])"
    imports = "import joblib, numpy, sklearn.linear_model, sklearn.pipeline"
    return _peer("scikit-learn", "pipeline", "model.joblib", stored.getvalue(), imports, loading, "m.predict", "x")


def _skl2onnx(model: Model, row: list[float]) -> Peer:
    from skl2onnx import to_onnx

    made = to_onnx(pipeline(model), np.zeros((1, len(model.columns)), dtype=np.float32))
    loading = f"{ONE_THREAD}\nx = {{'X': numpy.array([{row!r}], dtype=numpy.float32)}}"
    function = "lambda x: s.run(None, x)"
    data = made.SerializeToString()
    return _peer("skl2onnx", "float32", "model.onnx", data, "import numpy, onnxruntime", loading, function, "x")


def _m2cgen(model: Model, row: list[float], variant: str) -> Peer:
    import m2cgen

    lasso = Lasso()
    lasso.coef_ = _coef(model) if variant == "dense" else _coef(model)[[one.column for one in model.inputs]]
    lasso.intercept_ = model.outputs[0].intercept
    source = m2cgen.export_to_python(lasso).encode()
    return _peer("m2cgen", variant, "scored.py", source, "import scored", "pass", "scored.score", repr(row))
