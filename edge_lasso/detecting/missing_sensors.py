"""What it costs a detector when a sensor is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.predicting.estimates import widened
from edge_lasso_runtime.detector import sensors, watched
from edge_lasso_runtime.estimate import KEY as ESTIMATE
from edge_lasso_runtime.estimate import numeric
from edge_lasso_runtime.model import Model

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Lost:
    """A sensor that is missing.

    Parameters
    ----------
    name : str
    readers : list of str
        Watched sensors whose prediction reads it, or what is computed from it.
    watched : int
        Watched sensors that are still scored.
    widths : dict or None
        Where the detector estimates what is missing: by which factor the error of each of `readers` grows then, and
        so a fault of theirs that is to score the same.
    """

    name: str
    readers: list[str]
    watched: int
    widths: dict[str, float] | None


def missing_sensors(model: Model) -> list[Lost]:
    """What each missing sensor costs a detector, the dearest first.

    It is not scored itself. Predictions that read it say nothing, unless the detector estimates it from the others;
    sensors that are also compared with their usual level are scored by that alone.
    """
    at = numeric(model)
    scored = set(sensors(model))
    reads = [{factor.input for term in output.terms for factor in term.factors} for output in model.outputs]
    results = []
    for i in at:
        name = model.inputs[i].name
        if model.inputs[i].stream is not None:
            continue
        gone = {
            j for j in at if j == i or ((stream := model.inputs[j].stream) is not None and stream[1] == name)
        }  # with what is computed from it
        readers = [output.name for output, read in zip(model.outputs, reads, strict=True) if read & gone]
        silent = {name} & scored
        widths = None
        if ESTIMATE not in model.sections:
            said = [name for name, read in zip(watched(model), reads, strict=True) if not read & gone]
            silent |= set(readers) - set(said)
        else:
            every = widened(model, np.flatnonzero(np.isin(at, list(gone))))
            widths = {
                output.name: float(w) for output, w in zip(model.outputs, every, strict=True) if output.name in readers
            }
        results.append(Lost(name, readers, len(scored) - len(silent), widths))
    return sorted(results, key=lambda entry: (entry.watched, -max((entry.widths or {"": 0.0}).values(), default=0.0)))
