"""Times that readings carry, and the gaps between them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

UNITS = ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (1e20, 1e-9))
"""Numbers below the first of a pair are seconds since 1970 times the inverse of the second, as in training tables."""
LATE = 1.5


def seconds(value: Any) -> float | None:
    """Seconds since 1970: of a number (also its thousandths, millionths, billionths) or of ISO 8601 text.

    A time without a zone is UTC; None for what is no time.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return _moment(value) if isinstance(value, str) else None
    for top, unit in UNITS:
        if -top < number < top:
            return number * unit
    return None


def _moment(text: str) -> float | None:
    from datetime import datetime, timezone

    text = text.strip()
    if text[-1:] in ("Z", "z"):  # Python 3.9 and 3.10 do not read it
        text = f"{text[:-1]}+00:00"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def step_seconds(model: Model) -> float | None:
    """How far apart the readings of training were, where the model says it."""
    found = model.sections.get("detector/1", {}).get("step_seconds")
    return None if found is None else float(found)


def missed(before: float, now: float, step: float) -> int:
    """How many readings are missing between two: none up to one and a half steps."""
    return int((now - before) / step + 0.5) - 1 if now - before > LATE * step else 0
