"""Fewer bits with a proof: fixed point (int16, int8) and rounded coefficients (float16, float32).

The model that comes back computes less exactly and says by how much at most, for all readings within its ranges:
in the section ``fixed_point/1`` of an integer model, in the provenance of a float one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edge_lasso.compressing.error_bound import analyse
from edge_lasso.compressing.fixed_section import fixed_section, output_integers
from edge_lasso.compressing.quantize_detector import with_fixed_detector
from edge_lasso.compressing.ranges import MARGIN, with_ranges
from edge_lasso.compressing.raw_counts import with_raw, with_whole_ranges
from edge_lasso.compressing.storage import FLOATS, round_coefficients
from edge_lasso.errors import DataError
from edge_lasso_runtime.cascade import KEY as CASCADE
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.fixed_detector import KEY as FIXED_DETECTOR
from edge_lasso_runtime.fixed_point import KEY, validate
from edge_lasso_runtime.model import Model

PRECISIONS = ("int8", "int16", *FLOATS)


def quantize(
    model: Model,
    to: str | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    max_error: float | None = None,
    margin: float | None = None,
    result_bits: int = 32,
    raw: Mapping[str, tuple[float, float]] | None = None,
) -> Model:
    """Give a model fewer bits, with the exact worst-case error.

    Parameters
    ----------
    model : Model
        Terms of at most two numeric inputs, hinges and steps alone, for fixed point; any model for the float
        precisions.
    to : {"int16", "int8", "float16", "float32"}, optional
        Precision of the coefficients. Default: int16, or with `max_error` the cheaper of int8 and int16 that keeps it.
    ranges : dict, optional
        Input name to (low, high): what the sensor can deliver. Must hold the input's default.
    max_error : float, optional
        Largest allowed bound, in the unit of the linear predictor (of every output; logits for a classifier). Inputs
        with a raw scale are taken to deliver whole counts.
    margin : float, optional
        By how much of its width a training range is widened on both sides; default 0.1, and 0 for a model that has been
        quantized already.
    result_bits : {32, 16}
        16: a final shift makes the integer result fit int16 (a larger bound).
    raw : dict, optional
        Input name to (scale, offset), for a sensor that delivers counts: ``value = scale * count + offset`` is folded
        into the integers, and the artifacts get `encode_counts`.

    Returns
    -------
    Model
        With its final ranges as `Input.low` and `Input.high`; with section ``fixed_point/1`` (int8, int16), or with
        rounded coefficients (float16, float32). A detector in integers gets ``fixed_detector/1``, too, or its
        provenance says why not (``left_out``).

    Raises
    ------
    DataError
        For bad ranges, a model that the precision cannot hold or whose coefficients were rounded before, or a
        `max_error` that cannot be kept.
    """
    if to is not None and to not in PRECISIONS:
        raise DataError(f"precision {to!r} is unknown; allowed are {', '.join(PRECISIONS)}")
    if max_error is not None and not 0.0 < max_error < math.inf:
        raise DataError(f"max_error is {max_error!r}; it must be a positive number in the unit of the output")
    if result_bits not in (16, 32):
        raise DataError(f"result_bits is {result_bits!r}; allowed are 32, 16")
    if to not in FLOATS and model.outputs[0].link == "exp":
        raise DataError(
            "fixed point has no integers for the link exp; quantize to float32 or float16, or export c:float"
        )
    done = KEY in model.sections or "quantized" in model.provenance
    chosen = (0.0 if done else MARGIN) if margin is None else margin
    rounded = model.provenance.get("quantized")
    if isinstance(rounded, dict) and rounded.get("to") in FLOATS:  # a bound against it would hide what was lost before
        raise DataError(
            f"the coefficients are rounded to {rounded['to']} already; quantize the model that this one was made from, "
            "against which the bound is proven"
        )
    if CASCADE in model.sections and DETECTOR in model.sections:
        raise DataError("a detector with cascade/1 is not quantized, its score would be another; quantize it without")
    if to in FLOATS and (raw or result_bits != 32):
        what = "a raw scale" if raw else "an int16 result"
        raise DataError(f"{what} goes with fixed point (int16, int8), not with {to}")
    ranged = with_whole_ranges(with_ranges(with_raw(model, raw), ranges, chosen))
    table = {key: value for key, value in model.sections.items() if key not in (KEY, FIXED_DETECTOR)}
    ranged = ranged.replace(sections=table)
    note = {"margin": chosen, "declared": {name: list(ends) for name, ends in (ranges or {}).items()}}
    tried = (to,) if to else ("int16",) if max_error is None else ("int8", "int16")
    reached = {}
    for precision in tried:
        if precision in FLOATS:
            result, bounds = round_coefficients(ranged, precision)
        else:
            result, bounds = _fixed_point(ranged, int(precision[3:]), result_bits)
        counted = KEY in result.sections and any(reading.raw is not None for reading in result.inputs)
        promised = [entry.bound_counts for entry in analyse(result)] if counted else bounds
        if max_error is None or max(promised) <= max_error:
            dropped = result.provenance.get("quantized", {}).get("dropped", [])
            record = {"to": precision, "bounds": bounds, **note, "dropped": dropped}
            if counted:
                record["bounds_of_counts"] = promised
            if KEY in result.sections and DETECTOR in result.sections:
                result, why = with_fixed_detector(result, output_integers)
                record.update({"left_out": why} if why else {})
            return _widened(result, bounds).replace(provenance={**model.provenance, "quantized": record})
        reached[precision] = max(promised)
    best = ", ".join(f"{bound:.3g} with {precision}" for precision, bound in reached.items())
    hint = "int16, " if to == "int8" else ""
    raise DataError(
        f"an error of at most {max_error!r} cannot be proven; the best bound is {best}; "
        f"allow more, declare narrower ranges, or use {hint}float32 or double"
    )


def _widened(model: Model, bounds: Sequence[float]) -> Model:
    """Prediction intervals and thresholds that hold for the quantized predictions, too: wider by the bound."""
    model = _farther(model, bounds[0])
    section = model.sections.get("interval/1")
    if section is None:
        return model
    slopes = section.get("slope", [0.0] * len(bounds))  # the width moves with the prediction, too
    low, high = (
        [
            value + sign * bound * (1.0 + slope * abs(value))
            for value, bound, slope in zip(section[key], bounds, slopes, strict=True)
        ]
        for key, sign in (("low", -1.0), ("high", 1.0))
    )
    return model.replace(sections={**model.sections, "interval/1": {**section, "low": low, "high": high}})


def _farther(model: Model, bound: float) -> Model:
    section = model.sections.get(CASCADE)
    if section is None:
        return model
    ends = {"low": section["low"] - bound, "high": section["high"] + bound}
    return model.replace(sections={**model.sections, CASCADE: {**section, **ends}})


def _fixed_point(model: Model, bits: int, result_bits: int) -> tuple[Model, list[float]]:
    section, dropped = fixed_section(model, bits, result_bits)
    validate(section, model, KEY)
    result = model.replace(
        sections={**model.sections, KEY: section},
        provenance={"quantized": {"dropped": dropped}} if dropped else {},
    )
    return result, [output["bound"] for output in section["outputs"]]
