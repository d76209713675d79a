"""What `edge-lasso quantize` prints: bounds, counts of sensors, what saturation costs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from edge_lasso.compressing.error_bound import analyse
from edge_lasso.compressing.ranges import Saturation
from edge_lasso.reporting import terminal
from edge_lasso.reporting.facts import number, residual_bound
from edge_lasso_runtime import Model
from edge_lasso_runtime.counts import count_ranges
from edge_lasso_runtime.fixed_detector import KEY as FIXED_DETECTOR
from edge_lasso_runtime.fixed_point import KEY
from edge_lasso_runtime.predict import predicted


def show_quantized(model: Model, file: Path, as_json: bool, cut: Saturation | None = None) -> None:
    """Print what `quantize` did, and what its ranges cut off of given data."""
    about, section = model.provenance.get("quantized", {}), model.sections.get(KEY)
    bounds = analyse(model) if section else []
    if as_json:
        data = {"model": str(file), "quantized": about, "fixed_point": section}
        if FIXED_DETECTOR in model.sections:
            data["fixed_detector"] = model.sections[FIXED_DETECTOR]
        if section:
            data["effective_bits"] = [bound.effective_bits for bound in bounds]
        terminal.say_json({**data, **({"saturation": asdict(cut)} if cut else {})})
        return
    if section is None:
        errors = ", ".join(number(bound) for bound in about.get("bounds", ()))
        terminal.say(f"coefficients rounded to {about.get('to')}, proven error at most {errors}")
    else:
        rows = []
        for output, bound in ((model.outputs[k], bounds[k]) for k in predicted(model)):
            rows.append((output.name, f"{number(bound.bound)} {output.unit}".strip(), f"{bound.effective_bits:.1f}"))
        title = f"int{section['bits']} coefficients on int16 inputs: proven for every reading within the ranges"
        terminal.table(title, ("output", "error at most", "effective bits"), rows)
        counted = [
            (feature.name, f"{lowest} to {highest}", f"{fixed['subtract']}")
            for feature, fixed, (lowest, highest, _, _) in zip(
                model.inputs, section["inputs"], count_ranges(model), strict=True
            )
            if feature.raw is not None
        ]
        if counted:
            terminal.table("sensors' counts, for encode_counts", ("input", "counts", "subtracted"), counted)
            for output, bound in ((model.outputs[k], bounds[k]) for k in predicted(model)):
                terminal.say(
                    f"{output.name}: error of whole counts at most {number(bound.bound_counts)} {output.unit}".strip()
                )
    residuals = residual_bound(model)
    if residuals:
        terminal.say(f"step_q, the detector in integers alone: residuals within {residuals} of their scale, proven")
    if "left_out" in about:
        terminal.note(f"note: {about['left_out']}")
    for name in about.get("dropped", ()):
        terminal.note(f"note: the coefficient of {name} rounds to 0 and is left out; the bound holds what that costs")
    if cut is not None:
        _show_saturation(model, cut)
    terminal.say(f"wrote {file}")


def _show_saturation(model: Model, cut: Saturation) -> None:
    rows = [
        (feature.name, f"{number(feature.low)} to {number(feature.high)}", 
         *(f"{counts[feature.name]:,}" for counts in (cut.below, cut.above, cut.missing)))
        for feature in model.inputs if feature.name in cut.below
    ]  # fmt: skip
    terminal.table("what clamping to the ranges does", ("input", "range", "below", "above", "missing"), rows)
    share = 100.0 * cut.rows_affected / max(cut.rows, 1)
    terminal.say(f"of {cut.rows:,} rows {cut.rows_affected:,} ({share:.2g} %) have a reading outside its range")
    for output, largest, rms in ((model.outputs[k], cut.largest[k], cut.rms[k]) for k in predicted(model)):
        unit = f" {output.unit}" if output.unit else ""
        terminal.say(f"{output.name}: clamping changes it by up to {number(largest)}{unit}, rms {number(rms)}{unit}")
