"""What the tensor formats carry about a model: the same facts in ONNX's `metadata_props` and TFLite's metadata."""

from __future__ import annotations

import json
from typing import Any

from edge_lasso_runtime.format import model_hash
from edge_lasso_runtime.model import Model

from . import GENERATOR
from .options import Options
from .vectors import test_rows


def facts(model: Model, options: Options, handles_missing: bool, promise: str) -> dict[str, str]:
    """Names, units, defaults, ranges, hash, version, promise and test vectors, each a string.

    An input that is not read is its name alone.

    Parameters
    ----------
    model : Model
    options : Options
    handles_missing : bool
        Whether the graph replaces missing readings; else ``missing`` tells the caller to.
    promise : str
        How close the artifact is to the reference, in words.
    """
    found = {
        "generator": GENERATOR,
        "model_hash": model_hash(model),
        "variant": options.variant,
        "inputs": _json([_input(model, i) for i in _positions(model, options)]),
        "outputs": _json([{"name": one.name, "unit": one.unit, "link": one.link} for one in model.outputs]),
        "policy": model.policy,
        "limit": repr(model.limit),
        "handles_missing": "true" if handles_missing else "false",
        "missing": "NaN or beyond the limit: the default is used"
        if handles_missing
        else "replace missing readings (NaN, or beyond the limit) by the default before the call",
        "promise": promise,
        "self_test": _json(
            [
                {"row": row, "linear": value}
                for row, value in test_rows(model, options.inputs)
                if handles_missing or None not in row
            ]
        ),
    }
    if model.classes is not None:
        found["classes"] = _json(list(model.classes))
    return found


def _positions(model: Model, options: Options) -> list[int | str]:
    if options.inputs == "selected":
        return list(range(len(model.inputs)))
    places: dict[int, int | str] = {one.column: i for i, one in enumerate(model.inputs)}
    return [places.get(i, name) for i, name in enumerate(model.columns)]


def _input(model: Model, place: int | str) -> dict[str, Any] | str:
    if isinstance(place, str):
        return place
    one = model.inputs[place]
    data: dict[str, Any] = {"name": one.name}
    if one.unit:
        data["unit"] = one.unit
    if one.categories is not None:
        data["categories"] = list(one.categories)
    else:
        data.update(default=one.default, low=one.low, high=one.high)
    return data


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
