"""Models in MLflow: logged as a pyfunc that needs ``mlflow-skinny`` and the runtime, and read back as they were.

A pyfunc of a model file holds no pickle: MLflow keeps ``model.json``, and the runtime reads it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import edge_lasso_runtime
from edge_lasso.errors import DataError
from edge_lasso_runtime import Model, load, model_hash, save
from edge_lasso_runtime.predict import predicted

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

LOADER = "edge_lasso_runtime.mlflow_loader"


def log_model(model: Any, name: str = "model", registered_model_name: str | None = None) -> ModelInfo:
    """Log a model to the active run, or to a new one.

    Parameters
    ----------
    model : Model, fitted estimator, or path
    name : str
        In the run.
    registered_model_name : str, optional
        Register it, too.

    Returns
    -------
    ModelInfo
        Its ``model_uri`` is what `load_model` and ``mlflow.pyfunc.load_model`` take.

    Raises
    ------
    DataError
        MLflow is not here, or the model looks back at earlier rows, which a table of one request does not have.
    """
    mlflow = _mlflow()
    exact = _model(model)
    if any(feature.stream is not None for feature in exact.inputs):
        raise DataError("the model looks back at earlier rows; a pyfunc knows no row before a table's first")
    with tempfile.TemporaryDirectory() as away:
        path = Path(away, "model.json")
        save(exact, path)
        info: ModelInfo = mlflow.pyfunc.log_model(
            name=name,
            loader_module=LOADER,
            data_path=str(path),
            signature=_signature(exact),
            pip_requirements=["mlflow-skinny", "pandas", f"edge-lasso-runtime=={edge_lasso_runtime.__version__}"],
            metadata={"edge_lasso_model_hash": model_hash(exact)},
            registered_model_name=registered_model_name,
        )
    return info


def load_model(uri: str) -> Model:
    """Read a model back, as it was logged.

    Parameters
    ----------
    uri : str
        As MLflow names models: ``models:/NAME/1``, ``runs:/RUN/model``, a path.

    Raises
    ------
    DataError
        It was not logged by `log_model`.
    """
    mlflow = _mlflow()
    folder = Path(mlflow.artifacts.download_artifacts(uri))
    paths = sorted(folder.rglob("model.json"))
    if len(paths) != 1:
        raise DataError(f"{uri} holds no model of edge-lasso; log it with edge_lasso.estimators.mlflow.log_model")
    return load(paths[0])


def log_training(model: Any) -> None:
    """Log how a model was trained to the active run: its provenance as parameters, its errors as metrics.

    Raises
    ------
    DataError
        MLflow is not here.
    """
    mlflow = _mlflow()
    exact = _model(model)
    about = exact.provenance
    mlflow.log_params({key: value for key, value in about.items() if isinstance(value, (str, int, float, bool))})
    mlflow.log_param("model_hash", model_hash(exact))
    mlflow.log_metric("coefficients", sum(len(output.terms) for output in exact.outputs))
    for place, fit in enumerate(about.get("fits", [])):
        for key in ("cv_mse", "cv_mse_constant", "optimality_gap"):
            if isinstance(fit.get(key), (int, float)):
                mlflow.log_metric(key if place == 0 else f"{key}_{place}", fit[key])


def _signature(model: Model) -> Any:
    from mlflow.models.signature import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    inputs = [
        ColSpec("string" if feature.categories else "double", feature.name, required=False) for feature in model.inputs
    ]
    label = [ColSpec("string", "label")] if model.classes is not None else []
    outputs = [ColSpec("double", model.outputs[k].name) for k in predicted(model)]
    return ModelSignature(Schema(inputs), Schema([*label, *outputs, ColSpec("string", "status")]))


def _model(model: Any) -> Model:
    if isinstance(model, Model):
        return model
    if isinstance(model, (str, Path)):
        return load(model)
    result = getattr(model, "model_", None)
    if not isinstance(result, Model):
        raise DataError(f"{type(model).__name__} is neither a model, a path nor a fitted estimator")
    return result


def _mlflow() -> Any:
    try:
        import mlflow
        import mlflow.pyfunc
    except ImportError:
        raise DataError("MLflow is not here; install it with: pip install 'edge-lasso[mlflow]'") from None
    return mlflow
