"""Reading what `metrics` wrote: what a running process says about itself."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def read(path: str) -> dict[str, Any]:
    """What a process said about itself in its file.

    Returns
    -------
    dict
        ``model`` (hash), ``start``, ``written``, ``rows``, ``degraded``, ``alarms``, ``error_sum``, ``error_rows``,
        ``buckets`` (upper edge, rows up to it).

    Raises
    ------
    ValueError, KeyError
        The file is not one of ours.
    OSError
    """
    with open(path, encoding="utf-8") as file:
        result = samples(file.read())
    values = {name: value for name, labels, value in result if not labels}
    model = next(labels["model"] for name, labels, _ in result if name == "edge_lasso_model_info")
    buckets = [
        (float(labels["le"].replace("+Inf", "inf")), int(value))
        for name, labels, value in result
        if name == "edge_lasso_latency_seconds_bucket"
    ]
    names = {
        "start": "start_time_seconds", "written": "written_time_seconds", "rows": "rows_total",
        "degraded": "degraded_rows_total", "alarms": "alarm_rows_total", "error_sum": "error_absolute_total",
        "error_rows": "error_rows_total",
    }  # fmt: skip
    return {"model": model, "buckets": buckets, **{key: values[f"edge_lasso_{name}"] for key, name in names.items()}}


def samples(text: str) -> list[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each line of Prometheus' text format, as `Metrics` writes it.

    Raises
    ------
    ValueError
        A line is something else.
    """
    results = []
    for line in text.split("\n"):
        if not line or line.startswith("#"):
            continue
        head, _, value = line.rpartition(" ")
        name, brace, rest = head.partition("{")
        labels = {}
        rest = rest[:-1]
        while rest:
            key, _, rest = rest.partition('="')
            end = 0
            while rest[end : end + 1] not in ('"', ""):
                end += 2 if rest[end] == "\\" else 1
            labels[key.lstrip(",")] = _unescaped(rest[:end])
            rest = rest[end + 1 :]
        if brace and not head.endswith("}"):
            raise ValueError(f"{line[:60]!r} is no line of figures")
        results.append((name, labels, float(value)))
    return results


def quantile(buckets: Sequence[tuple[float, float]], part: float) -> float | None:
    """The upper edge of the bucket in which a quantile lies; None without rows."""
    if not buckets or not buckets[-1][1]:
        return None
    wanted = part * buckets[-1][1]
    return next(edge for edge, count in buckets if count >= wanted)


def _unescaped(text: str) -> str:
    parts = [part.replace("\\n", "\n").replace('\\"', '"') for part in text.split("\\\\")]
    return "\\".join(parts)
