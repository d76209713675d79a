"""A model file as an MLflow pyfunc, named by ``loader_module`` in ``MLmodel``; imports neither MLflow nor pandas."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .model import Model


class Predictor:
    """Predicts tables.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, table: Any, params: Any = None) -> Any:
        """One row of results per row: the label of a classifier, outputs, status.

        Parameters
        ----------
        table : pandas.DataFrame
            With the model's inputs as columns; missing readings are NaN or None.

        Returns
        -------
        pandas.DataFrame
        """
        from .predict import predict, predicted

        result = [predict(self.model, row) for row in table.to_dict("records")]
        columns: dict[str, list[Any]] = {}
        if self.model.classes is not None:
            columns["label"] = [prediction.label for prediction in result]
        for k in predicted(self.model):
            columns[self.model.outputs[k].name] = [prediction.values[k] for prediction in result]
        columns["status"] = [prediction.status for prediction in result]
        return type(table)(columns, index=table.index)


def _load_pyfunc(path: str) -> Predictor:
    """Load what MLflow has kept (the name is MLflow's)."""
    from .format import load

    return Predictor(load(path))
