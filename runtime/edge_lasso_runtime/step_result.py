"""What one row gave."""

from __future__ import annotations

from .model import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


class Step(Record):
    """What one row gives.

    Parameters
    ----------
    linear, values : list of float
        Linear predictor and prediction per output, as `Prediction` has them.
    label : str or None
    faults : dict
        Input name to "missing", "stuck", "jump" or "out of range".
    status : str
        ``ok``; ``degraded`` when a reading is at fault; ``warming up`` before every derived input has its history.
    widths : list of float or None
        Per output, by which factor its error is wider than usual because inputs were estimated; NaN where a detector's
        prediction reads the default of a missing input, and nobody knows.
    score : float or None
        Of a detector.
    alarm, onset : bool
        Whether the score is above the threshold; whether that begins now.
    parts : list of float
        What each watched sensor contributes to the score.

    Attributes
    ----------
    ends : list of tuple of float, or None
        The prediction interval of each output, where its ends follow the truths.
    """

    __slots__ = ("alarm", "ends", "faults", "label", "linear", "onset", "parts", "score", "status", "values", "widths")

    def __init__(
        self,
        linear: list[float],
        values: list[float],
        label: str | None,
        faults: dict[str, str],
        status: str,
        widths: list[float] | None,
        score: float | None,
        alarm: bool,
        onset: bool,
        parts: list[float],
    ) -> None:
        self.linear = linear
        self.values = values
        self.label = label
        self.faults = faults
        self.status = status
        self.widths = widths
        self.score = score
        self.alarm = alarm
        self.onset = onset
        self.parts = parts
        self.ends: list[tuple[float, float]] | None = None
