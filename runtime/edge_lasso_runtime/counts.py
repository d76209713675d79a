"""A sensor's integer counts as the integers of ``fixed_point/1``: one subtraction, behind a clamp.

``value = scale * count + offset`` is folded into the coefficients, so q is the count minus a constant. A count is
clamped to the range the proof covers *before* anything is subtracted: for every int32 count the difference is between
0 and 65535 and q fits int16.
"""

from __future__ import annotations

from .fixed_point import KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model
    from .predict import Row


def count_ranges(model: Model) -> list[tuple[int, int, int, int]]:
    """Per input the lowest and highest count, the integer of the lowest, and the integer of a missing count.

    An input without a raw scale takes the integers of `encode`; a categorical one the index of its category (then the
    last number, -1, is below the third).
    """
    results = []
    for fixed in model.sections[KEY]["inputs"]:
        if "categories" in fixed:
            results.append((0, fixed["categories"] - 1, 0, -1))
        else:
            shift = fixed.get("subtract", 0)
            results.append((fixed["low"] + shift, fixed["high"] + shift, fixed["low"], fixed["default"]))
    return results


def encode_counts(model: Model, counts: Row) -> tuple[list[int], dict[str, str]]:
    """Turn one row of counts into the model's integers.

    Parameters
    ----------
    model : Model
        With a section ``fixed_point/1``.
    counts : sequence or mapping
        A whole number per input (see `count_ranges`), in order or by name; anything else counts as missing.

    Returns
    -------
    q : list of int
    faults : dict
        Input name to "missing" or "out of range" (then clamped).

    Raises
    ------
    ValueError
        For a sequence of the wrong length.
    """
    if hasattr(counts, "keys"):
        named: Any = counts
        row: Any = [named.get(feature.name) for feature in model.inputs]
    elif len(counts) == len(model.inputs):
        row = counts
    else:
        raise ValueError(f"a row has {len(model.inputs)} counts (the model's inputs in order), got {len(counts)}")
    q, faults = [], {}
    for feature, supplied, (lowest, highest, first, missing) in zip(model.inputs, row, count_ranges(model)):
        try:
            count = int(supplied)
        except (TypeError, ValueError, OverflowError):
            count = None
        if count is None or count != supplied or (missing < first and not lowest <= count <= highest):
            q.append(missing)
            faults[feature.name] = "missing"
            continue
        if not lowest <= count <= highest:
            faults[feature.name] = "out of range"
            count = lowest if count < lowest else highest
        q.append(count - lowest + first)
    return q, faults
