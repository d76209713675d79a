"""Figures for Prometheus: what is not a number, a file that cannot be written for a while, what is counted of rows by themselves."""

import time

import pytest
from streams import detecting, regression, rows

from edge_lasso_runtime import predict
from edge_lasso_runtime.figures import read
from edge_lasso_runtime.metrics import Metrics
from edge_lasso_runtime.step import start, step


def test_a_file_that_cannot_be_written_is_reported_once_and_written_again_when_it_can_be(tmp_path, capsys):
    folder = tmp_path / "away"
    folder.mkdir()
    model = regression().replace(sections={})
    metrics = Metrics(model, str(folder / "f.prom"))
    aside = tmp_path / "aside"
    folder.rename(aside)
    for _ in range(3):
        metrics.write()
    assert capsys.readouterr().err.count("figures are not written, the work goes on") == 1
    aside.rename(folder)
    metrics.write()
    folder.rename(aside)
    metrics.write()
    assert capsys.readouterr().err.count("figures are not written, the work goes on") == 1


def test_a_file_that_cannot_be_written_at_the_start_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file") as error:
        Metrics(regression(), str(tmp_path / "no" / "f.prom"))
    assert str(tmp_path / "no" / "f.prom") in str(error.value)


def test_rows_by_themselves_are_counted_with_their_errors(tmp_path):
    model = regression().replace(sections={})
    path = str(tmp_path / "f.prom")
    metrics = Metrics(model, path)
    given = [{"t": 20.0, "t.lag2": 20.0, "kind": "red"}, {"t": None, "t.lag2": 20.0, "kind": "red"}]
    predictions = [predict(model, row) for row in given]
    for prediction in predictions:
        metrics.take_prediction(prediction, 1e-4)
    metrics.count_errors(predictions, [predictions[0].values[0] + 0.5, None])
    metrics.write()
    figures = read(path)
    assert (figures["rows"], figures["degraded"], figures["error_rows"], figures["error_sum"]) == (2, 1, 1, 0.5)


def test_scores_and_how_far_inputs_have_moved(tmp_path, monkeypatch):
    model = detecting()
    path = tmp_path / "f.prom"
    metrics, state = Metrics(model, str(path)), start(model)
    metrics.take([], state, 0.0)
    results = [step(model, state, row)[0] for row in rows(40)]
    later = time.time() + 60.0
    monkeypatch.setattr("edge_lasso_runtime.metrics.time", lambda: later)
    metrics.take(results, state, 1e-3)
    text = path.read_text()
    assert f"edge_lasso_score {results[-1].score!r}\n" in text
    assert text.count("edge_lasso_drift_index{input=") == 3
