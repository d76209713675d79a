"""Models in a real, local MLflow: logged, registered, served as a pyfunc, read back to the bit."""

import subprocess
import sys

import pytest

from edge_lasso.errors import DataError
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, predict

pytestmark = [pytest.mark.needs("module:mlflow", "module:pandas"), pytest.mark.filterwarnings("default")]


def model(stream=None):
    inputs = (Input("a", 0, 0.5, -1.0, 1.0), Input("kind", 1, None, None, None, "", ("red", "green")))
    if stream:
        inputs = (*inputs, Input("before", 2, 0.0, -1.0, 1.0, stream=("lag", "a", 1)))
    about = {"rows": 600, "method": "lasso", "fits": [{"target": "y", "cv_mse": 0.25, "optimality_gap": 1e-9}]}
    terms = (Term(2.0, (Factor(0),)), Term(-1.0, (Factor(1, 1),)))
    return Model(tuple(one.name for one in inputs), inputs, (Output("y", 0.5, terms),), provenance=about)


@pytest.fixture
def store(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(tmp_path.joinpath("runs").as_uri())
    return mlflow


def test_there_and_back(store):
    import pandas

    from edge_lasso.estimators.mlflow import load_model, log_model, log_training

    with store.start_run() as run:
        log_training(model())
        info = log_model(model())
    assert load_model(info.model_uri) == model()
    data = store.get_run(run.info.run_id).data
    assert (data.metrics["cv_mse"], data.params["rows"], data.params["model_hash"]) == (
        0.25,
        "600",
        model_hash(model()),
    )
    table = pandas.DataFrame({"a": [0.25, None, 9.0], "kind": ["green", "red", None]}, index=[3, 4, 5])
    found = store.pyfunc.load_model(info.model_uri).predict(table)
    rows = [{"a": 0.25, "kind": "green"}, {"kind": "red"}, {"a": 9.0}]
    assert found["y"].tolist() == [predict(model(), row).values[0] for row in rows]
    assert found["status"].tolist() == ["ok", "degraded", "degraded"]
    assert found.index.tolist() == [3, 4, 5]


def test_what_is_refused(store, tmp_path):
    from edge_lasso.estimators.mlflow import load_model, log_model

    with pytest.raises(DataError, match="looks back at earlier rows"):
        log_model(model(stream=True))
    with pytest.raises(DataError, match="neither a model, a path nor a fitted estimator"):
        log_model(object())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no model of edge-lasso"):
        load_model(str(tmp_path / "empty"))


def test_without_mlflow_it_says_what_to_install():
    script = (
        "import sys; sys.modules['mlflow'] = None\nfrom edge_lasso.estimators.mlflow import log_model\nlog_model(None)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "pip install 'edge-lasso[mlflow]'" in done.stderr
