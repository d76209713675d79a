"""``python -m edge_lasso_runtime shadow``: what a model would have said of rows that have been, in figures.

Two versions are compared by running each over the same rows in a process of its own, with its own runtime.
"""

from __future__ import annotations

from .errors import UpdateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .model import Model

LIMIT = 600
"""Seconds that a version has for all rows."""


def shadow(model: Model, path: str, most: int = 1000) -> dict[str, Any]:
    """Take a model through the last rows of a file.

    Parameters
    ----------
    model : Model
    path : str
        CSV with a header, or JSON lines; a field with the first output's name is its truth.
    most : int
        So many rows at most.

    Returns
    -------
    dict
        ``rows``; ``degraded``, ``alarms``, ``onsets`` (rows); ``error`` (mean absolute error of the first output, None
        without truth), ``error_rows``; ``p50_us``, ``p95_us`` of one row.
    """
    from collections import deque
    from time import perf_counter_ns

    from .printable import report
    from .readings import Readings
    from .step import start, step

    readings = Readings(model, model.outputs[0].name, report)
    with open(path, "rb") as file:
        lines: deque[bytes] = deque(maxlen=most)
        first = file.readline()
        for line in file:
            lines.append(line.rstrip(b"\r\n"))
    header = first.rstrip(b"\r\n")
    state = start(model)
    counts = {"rows": 0, "degraded": 0, "alarms": 0, "onsets": 0}
    errors, times = [], []
    names = [model.inputs[i].name for i in state.places]
    for line in [header, *lines]:
        reading = readings.read(line)
        if reading is None:
            continue
        values, truth = reading
        began = perf_counter_ns()
        result, _ = step(model, state, values)
        times.append(perf_counter_ns() - began)
        counts["rows"] += 1
        counts["degraded"] += result.status == "degraded"
        counts["alarms"] += result.alarm
        counts["onsets"] += result.onset
        if not all(value - value == 0.0 for value in result.values):
            raise UpdateError(f"row {counts['rows']} gives {result.values!r}: not a number")
        if isinstance(truth, (int, float)) and truth - truth == 0.0:
            errors.append(abs(truth - result.values[0]))
    if not times:
        raise UpdateError(f"{path} has no row that the model can read; it reads {', '.join(names[:5])}")
    times.sort()
    return {
        **counts,
        "error": sum(errors) / len(errors) if errors else None,
        "error_rows": len(errors),
        "p50_us": times[len(times) // 2] / 1000.0,
        "p95_us": times[min(len(times) * 95 // 100, len(times) - 1)] / 1000.0,
    }


def beyond(new: Mapping[str, Any], old: Mapping[str, Any] | None, limits: Mapping[str, float]) -> list[str]:
    """Which limits figures of a version leave; empty when all is well.

    Parameters
    ----------
    new, old : mapping
        As `shadow` gives them; old is None where there is no version before.
    limits : mapping
        Of the manifest.
    """
    faults = []
    rows = max(new["rows"], 1)
    for key, what in (("degraded", "rows are degraded"), ("alarms", "rows are in alarm")):
        if key in limits and new[key] / rows > limits[key]:
            faults.append(f"{new[key] / rows:.1%} of {rows} {what}, at most {limits[key]:.1%} may be")
    if "p95_us" in limits and new["p95_us"] is not None and new["p95_us"] > limits["p95_us"]:
        faults.append(f"a row takes {new['p95_us']:.0f} us (p95), at most {limits['p95_us']:.0f} are allowed")
    if "error" in limits and new["error"] is not None and old is not None and old["error"] is not None:
        allowed = limits["error"] * old["error"]
        if new["error"] > allowed:
            faults.append(f"the error is {new['error']:.6g}, at most {allowed:.6g} is allowed")
    return faults
