"""Times that readings carry, and the gaps between them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .model import Model

UNITS = ((1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (1e20, 1e-9))
"""Numbers below the first of a pair are seconds since 1970 times the inverse of the second, as in training tables."""
LATE = 1.5


class AmbiguousDates(ValueError):
    """Dates that may begin with the day or with the month: one of them, and how they are written in either case."""

    def __init__(self, example: str, *forms: str) -> None:
        super().__init__(example)
        self.forms = forms


def seconds(value: Any, form: str | None = None) -> float | None:
    """Seconds since 1970: of a number (also its thousandths, millionths, billionths) or of text.

    A time without a zone is UTC; None for what is no time.

    Parameters
    ----------
    value : number or str
        Text is ISO 8601, or as `form` says, or a date with points, which begins with the day.
    form : str, optional
        As `datetime.strptime` takes it.
    """
    if form is not None and isinstance(value, str):
        return _formed(value.strip(), form)
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
        try:
            form = date_format((text,))
        except AmbiguousDates:
            return None
        return None if form is None else _formed(text, form)
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _formed(text: str, form: str) -> float | None:
    from datetime import datetime, timezone

    try:
        moment = datetime.strptime(text, form)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def date_format(words: Iterable[str]) -> str | None:
    """How times are written whose dates begin with the day or the month; None where they are not.

    Points between the numbers mean that the day comes first (``31.05.2024 13:00``); with ``/`` and ``-`` some date of
    those given has to show it, by a number above 12.

    Raises
    ------
    AmbiguousDates
        None shows it.
    """
    form = example = ""
    day_first = month_first = False
    for text in words:
        date, blank, clock = text.partition(" ")
        sign = next((entry for entry in "./-" if entry in date), "")
        parts = date.split(sign) if sign else []
        if len(parts) != 3 or not all(part.isdigit() for part in parts) or len(parts[0]) > 2 or len(parts[1]) > 2:
            continue
        example = example or text
        day_first = day_first or sign == "." or int(parts[0]) > 12
        month_first = month_first or int(parts[1]) > 12
        if not form:
            year = "%Y" if len(parts[2]) == 4 else "%y"
            form = f"%d{sign}%m{sign}{year}" + (f" {_clock(clock)}" if blank else "")
    if not form:
        return None
    month = f"%m{form[2]}%d{form[5:]}"
    if month_first and not day_first:
        return month
    if not day_first:
        raise AmbiguousDates(example, form, month)
    return form


def _clock(text: str) -> str:
    half = text.strip()[-2:].lower() in ("am", "pm")
    digits = text.strip()[:-2].strip() if half else text.strip()
    form = ("%I" if half else "%H") + ":%M" * (digits.count(":") > 0) + ":%S" * (digits.count(":") > 1)
    return form + (" %p" if half and " " in text.strip() else "%p" if half else "")


def step_seconds(model: Model) -> float | None:
    """How far apart the readings of training were, where the model says it."""
    value = model.sections.get("detector/1", {}).get("step_seconds")
    return None if value is None else float(value)


def missed(before: float, now: float, step: float) -> int:
    """How many readings are missing between two: none up to one and a half steps."""
    return int((now - before) / step + 0.5) - 1 if now - before > LATE * step else 0
