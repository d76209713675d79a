"""Sensors that deliver integer counts: ``value = scale * count + offset``, declared per input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches

from edge_lasso.errors import DataError
from edge_lasso_runtime.model import Input, Model

ON_COUNT = 1e-6
"""So near to a whole count (in counts) a range ends at it."""


def parse_raw(text: str) -> tuple[str, tuple[float, float]]:
    """Read ``NAME=SCALE:OFFSET`` (an offset of 0 may be left out)."""
    name, _, numbers = text.rpartition("=")
    scale, _, offset = numbers.partition(":")
    try:
        if name:
            return name, (float(scale), float(offset or "0"))
    except ValueError:
        pass
    raise DataError(f"raw scale {text!r} is not NAME=SCALE:OFFSET, as in voltage=0.000806:0 for 0.000806 * count + 0")


def with_raw(model: Model, raw: Mapping[str, tuple[float, float]] | None) -> Model:
    """Give inputs their sensors' raw scale.

    Raises
    ------
    DataError
        For an unknown or categorical input, or a scale that is 0 or not finite.
    """
    raw = dict(raw or {})
    known = {feature.name: feature for feature in model.inputs}
    for name, (scale, offset) in raw.items():
        if name not in known:
            near = get_close_matches(name, list(known), 1, 0.5)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise DataError(f"a raw scale is declared for {name!r}, which is not an input of the model{hint}")
        if known[name].categories is not None:
            raise DataError(f"a raw scale is declared for {name!r}, which is categorical; categories have no counts")
        if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0.0:
            raise DataError(
                f"the raw scale of {name!r} is {scale!r}:{offset!r}; both must be finite, and SCALE other than 0"
            )
    return model.replace(
        inputs=tuple(feature.replace(raw=raw.get(feature.name, feature.raw)) for feature in model.inputs)
    )


def with_whole_ranges(model: Model) -> Model:
    """Ranges of sensors that deliver counts end at whole counts, outwards: there are no readings between two.

    A lag or a mean of such a reading lies where the reading does.
    """
    whole = {feature.name: _whole_range(feature) for feature in model.inputs}

    def ranged(feature: Input) -> Input:
        if feature.stream is None or feature.stream[0] == "difference":
            return whole[feature.name]
        source = whole[feature.stream[1]]
        return feature.replace(low=source.low, high=source.high)

    return model.replace(inputs=tuple(map(ranged, model.inputs)))


def _whole_range(feature: Input) -> Input:
    if feature.raw is None or feature.low is None or feature.high is None:
        return feature
    scale, offset = feature.raw
    ends = sorted((end - offset) / scale for end in (feature.low, feature.high))
    counts = [
        round(end) if abs(end - round(end)) < ON_COUNT else outwards(end)
        for end, outwards in zip(ends, (math.floor, math.ceil), strict=True)
    ]
    low, high = sorted(offset + scale * count for count in counts)
    return feature.replace(low=low, high=high)
