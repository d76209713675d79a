"""A serverless function: ``edge_lasso_runtime.function.handler`` takes a reading as its event and gives the prediction.

The model is the one packed with this package: that of the ``.pyz`` it is in, or ``model.json`` in the folder it is in;
``EDGE_LASSO_MODEL`` names another. Events of an HTTP gateway are for `asgi.handler`.
"""

from __future__ import annotations

from .format import load
from .predict import predict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model

MOST_ROWS = 10_000
_LOADED: list[Model] = []


def handler(event: Any, context: Any = None) -> Any:
    """Predict a reading, or several, each by itself.

    Parameters
    ----------
    event : dict or list of dict
        Input names to readings; a name that is not there is a missing reading.
    context : object
        What platforms hand over; not read.

    Returns
    -------
    dict or list of dict
        What JSON can hold, by the names that `score` uses: ``status``, ``label`` (classifiers), ``values``,
        ``interval`` (where the model has one and the status is ok), ``verdict`` (first stages), ``faults`` (if any).

    Raises
    ------
    ValueError
        The event is no reading, or the model needs the rows before it. The platform counts a failure.
    OSError, ModelFormatError
        There is no model, or it is damaged.
    """
    model = _model()
    rows = event if isinstance(event, list) else [event]
    if len(rows) > MOST_ROWS:
        raise ValueError(f"the event has {len(rows)} readings; up to {MOST_ROWS} can be answered at once, send fewer")
    answers = [_answer(model, row) for row in rows]
    return answers if isinstance(event, list) else answers[0]


def _answer(model: Model, row: Any) -> dict[str, Any]:
    names = [feature.name for feature in model.inputs]
    if not isinstance(row, dict) or (names and not any(name in row for name in names)):
        raise ValueError(
            f'the event is no reading; send {{"NAME": value, ..}} with names among {", ".join(names)[:200]}'
        )
    prediction = predict(model, row)
    outputs = [output.name for output in model.outputs]
    answer: dict[str, Any] = {"status": prediction.status}
    if prediction.label is not None:
        answer["label"] = prediction.label
    answer["values"] = dict(zip(outputs, prediction.values))
    if "interval/1" in model.sections and not prediction.faults:
        from .interval import interval

        answer["interval"] = {name: list(ends) for name, ends in zip(outputs, interval(model, prediction))}
    if "cascade/1" in model.sections:
        from .cascade import verdict

        answer["verdict"] = verdict(model, prediction)
    if prediction.faults:
        answer["faults"] = prediction.faults
    return answer


def _model() -> Model:
    """The model, loaded at the first event: later events of the same process find it here."""
    if not _LOADED:
        import os

        home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        packed = home if home.endswith(".pyz") else os.path.join(home, "model.json")
        model = load(os.environ.get("EDGE_LASSO_MODEL") or packed)
        if model.looks_back:
            raise ValueError("the model looks back at earlier rows; use score or mqtt: an event knows no row before it")
        _LOADED.append(model)
    return _LOADED[0]
