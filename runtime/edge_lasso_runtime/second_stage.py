"""``--cascade HEAVY``: the rows that a first stage hands on, through the model behind it.

The second model sees some rows only, so it must not look back. Its readings are fields of the same rows.
"""

from __future__ import annotations

from .cascade import GO_ON, KEY, verdict
from .predict import predict, predicted
from .rows import RowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .model import Model
    from .predict import Prediction, Row
    from .step_result import Step


class SecondStage:
    """A model behind a first stage.

    Parameters
    ----------
    first : Model
    path : str
        The second model's file.

    Attributes
    ----------
    model : Model
    names, texts : tuple of str
        Its readings, in order; those of them that are categories.
    shown : list of int
        Its outputs that are predictions.

    Raises
    ------
    RowError
        The first is no first stage, or the second looks back.
    ModelFormatError, OSError
    """

    def __init__(self, first: Model, path: str) -> None:
        from .format import load

        if KEY not in first.sections:
            raise RowError("--cascade: the first model has no section cascade/1; edge-lasso cascade adds it")
        self._first = first
        self.model = load(path)
        if self.model.looks_back:
            raise RowError(f"--cascade {path}: it looks back, and would see some rows only; train one without")
        self.names = tuple(feature.name for feature in self.model.inputs)
        self.shown = predicted(self.model)
        self.texts = tuple(feature.name for feature in self.model.inputs if feature.categories is not None)

    def of(self, result: Step | Prediction, row: Row) -> Prediction | None:
        """The second model's prediction of a row that goes on; None of the others.

        Parameters
        ----------
        result : Step or Prediction
            Of the first model.
        row : mapping
            The second model's readings by name.
        """
        return predict(self.model, row) if verdict(self._first, result) == GO_ON else None

    def part(self, result: Step, values: Sequence[Any]) -> str:
        """The same as the end of a line of JSON, with the comma before it; empty where the first model has decided.

        Parameters
        ----------
        result : Step
        values : sequence
            The second model's readings in order.
        """
        import json

        second = self.of(result, dict(zip(self.names, values)))
        if second is None:
            return ""
        content: dict[str, Any] = {"status": second.status}
        if second.label is not None:
            content["label"] = second.label
        content["values"] = {self.model.outputs[k].name: second.values[k] for k in self.shown}
        if second.faults:
            content["faults"] = second.faults
        return f',"then":{json.dumps(content, separators=(",", ":"))}'
