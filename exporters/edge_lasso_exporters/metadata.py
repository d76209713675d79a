"""What the tensor formats carry about a model: the same facts in ONNX's `metadata_props` and TFLite's metadata."""

from __future__ import annotations

import json
from typing import Any

from edge_lasso_runtime.format import model_hash
from edge_lasso_runtime.model import Input, Model
from edge_lasso_runtime.stream import STATEFUL, keeps_state, readings

from . import GENERATOR, LICENCE
from .options import Options
from .vectors import self_test


def facts(model: Model, options: Options, handles_missing: bool, promise: str) -> dict[str, str]:
    """Names, units, defaults, ranges, hash, version, promise and test vectors, each a string.

    Only inputs that are read are described, each with its column in the input tensor; test rows hold these alone, in
    the same order, null where a reading is missing. (`artifact.json` beside the file names all columns.) Where the
    caller replaces missing readings, who wants a small file, ranges and test rows are left to that file.

    Parameters
    ----------
    model : Model
    options : Options
    handles_missing : bool
        Whether the graph replaces missing readings; else ``missing`` tells the caller to.
    promise : str
        How close the artifact is to the reference, in words.
    """
    wide, short = options.inputs == "all", options.missing == "caller"
    table = {
        "generator": GENERATOR,
        "model_hash": model_hash(model),
        "version": options.version,
        "license": LICENCE,
        "variant": options.variant,
        "columns": str(len(model.columns) if wide else len(model.inputs)),
        "inputs": _json(
            [_input(feature, feature.column if wide else i, short) for i, feature in enumerate(model.inputs)]
        ),
        "outputs": _json([{"name": output.name, "unit": output.unit, "link": output.link} for output in model.outputs]),
        "policy": model.policy,
        "limit": repr(model.limit),
        "handles_missing": "true" if handles_missing else "false",
        "missing": "NaN or beyond the limit: the default is used"
        if handles_missing
        else "replace missing readings (NaN, or beyond the limit) by the default before the call",
        "promise": promise,
    }
    if not short:
        table["self_test"] = _json([
            {"row": row, "linear": value} for row, value in self_test(model) if handles_missing or None not in row
        ])  # fmt: skip
    if keeps_state(model):
        table["caller"] = _json(stream_facts(model, False)["caller"])
    if model.classes is not None:
        table["classes"] = _json(list(model.classes))
    return table


def stream_facts(model: Model, steps: bool, integers: bool = False) -> dict[str, Any]:
    """What `artifact.json` says of a model that takes in rows one after another; nothing of any other.

    Parameters
    ----------
    model : Model
    steps : bool
        Whether the artifact has `start` and `step`; else the caller computes derived inputs and whatever the sections
        are for, as `edge_lasso_runtime.step` does.
    integers : bool
        Whether it has `start_q` and `step_q`, too.
    """
    if not keeps_state(model):
        return {}
    entry: dict[str, Any] = {
        "streams": {feature.name: _stream(feature) for feature in model.inputs if feature.stream is not None}
    }
    sections = [key for key in STATEFUL if key in model.sections]
    if not steps:
        return {**entry, "caller": ([*entry["streams"]] and ["streams"]) + sections}
    entry["step"] = {
        "readings": [model.inputs[i].name for i in readings(model)],
        "linear": model.outputs[0].link != "identity",
        "label": model.classes is not None,
        "estimate": "estimate/1" in model.sections,
        "detector": "detector/1" in model.sections,
    }
    if integers:
        entry["step"]["integers"] = True
    return entry


def _stream(one: Input) -> dict[str, Any]:
    return dict(zip(("kind", "of", "length"), one.stream or (), strict=True))


def _input(one: Input, column: int, short: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"name": one.name, "column": column}
    if one.unit:
        data["unit"] = one.unit
    if one.stream is not None:
        data["stream"] = _stream(one)
    if one.categories is not None:
        data["categories"] = list(one.categories)
    else:
        data.update({"default": one.default} if short else {"default": one.default, "low": one.low, "high": one.high})
    return data


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
