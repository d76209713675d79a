"""What a report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_lasso.detecting.missing_sensors import Lost
from edge_lasso.detecting.scored_table import Scored
from edge_lasso.paths.options import Fit
from edge_lasso.reporting.page_classes import ClassQuality
from edge_lasso.training.train_table import Held
from edge_lasso.verifying.certificate import Certificate
from edge_lasso_runtime import Model


@dataclass(frozen=True)
class DetectorView:
    """What is known of a detector beside its file.

    Parameters
    ----------
    scored : Scored, optional
        A table, scored.
    lost : list of Lost
        What each missing sensor costs.
    """

    scored: Scored | None
    lost: list[Lost]


@dataclass(frozen=True)
class ReportData:
    """What a report is made of; parts that are missing are left out with a line that says how to get them.

    Parameters
    ----------
    model : Model
    story : str
        One sentence for the headline.
    fit : Fit, optional
        Path and choice of the first output.
    losses : dict
        Input to growth of the squared error, in percent, when it is lost.
    shares : dict
        Input to coefficient times standard deviation.
    held : Held, optional
        Predictions on rows that training never saw.
    certificates : list of Certificate
    measurements : list of dict
        ``Measurement.to_json()``.
    classes : ClassQuality, optional
        Of a classifier, instead of `held`.
    detector : DetectorView, optional
        Of a detector, instead of all that goes with predictions.
    """

    model: Model
    story: str = ""
    fit: Fit | None = None
    losses: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    held: Held | None = None
    certificates: Sequence[Certificate] = ()
    measurements: Sequence[Mapping[str, Any]] = ()
    classes: ClassQuality | None = None
    detector: DetectorView | None = None
