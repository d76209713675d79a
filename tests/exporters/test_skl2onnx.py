"""`skl2onnx.to_onnx` on pipelines that hold our estimators."""

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from edge_lasso.estimators.classifier import LassoClassifier
from edge_lasso.estimators.regressor import LassoRegressor
from edge_lasso_exporters import skl2onnx_converter
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import predict


@pytest.fixture(scope="module")
def table():
    source = np.random.default_rng(5)
    X = source.normal(50.0, 4.0, size=(300, 12))
    y = X[:, 2] - 0.5 * X[:, 7] + 0.1 * source.normal(size=300)
    return X, np.column_stack([y, 3.0 * X[:, 1] + 0.2 * source.normal(size=300)])


def run(graph, X, names=None):
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, {session.get_inputs()[0].name: X})


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_pipeline_of_one_target(table, kind):
    X, y = table[0].astype(kind), table[1][:, 0]
    pipeline = make_pipeline(StandardScaler(), LassoRegressor(max_inputs=3)).fit(X, y)
    graph = skl2onnx.to_onnx(pipeline, X[:1], target_opset=18)
    (found,) = run(graph, X)
    assert found.shape == (300, 1)
    assert [one.name for one in graph.graph.output] == ["variable"]
    assert np.max(np.abs(found[:, 0] - pipeline.predict(X))) < (1e-4 if kind == np.float32 else 1e-12)


def test_several_targets_and_two_steps_after_each_other(table):
    X, y = table
    pipeline = Pipeline([("scale", MinMaxScaler()), ("model", LassoRegressor(max_inputs=4))]).fit(X, y)
    (found,) = run(skl2onnx.to_onnx(pipeline, X[:1]), X)
    assert np.max(np.abs(found - pipeline.predict(X))) < 1e-11


def test_missing_readings_are_replaced_in_the_graph(table):
    X, y = table[0].copy(), table[1][:, 0]
    model = LassoRegressor(max_inputs=3).fit(X, y)
    X[:20, [2, 7]] = np.nan
    X[20:40, 2] = 1e300
    (found,) = run(skl2onnx.to_onnx(model, X[:1]), X)
    used = [one.column for one in model.model_.inputs]
    wanted = [predict(model.model_, row).linear[0] for row in X[:, used].tolist()]
    assert np.max(np.abs(found[:, 0] - wanted)) < 1e-12


def test_two_estimators_in_one_graph_do_not_share_names(table):
    X, y = table
    first = LassoRegressor(max_inputs=2).fit(X, y[:, 0])
    pipeline = make_pipeline(ColumnTransformer([("a", StandardScaler(), [0, 1, 2, 7]), ("b", "passthrough", [3, 4])]),
                             LassoRegressor(max_inputs=2)).fit(X, y[:, 0])  # fmt: skip
    for model in (first, pipeline):
        (found,) = run(skl2onnx.to_onnx(model, X[:1]), X)
        assert np.max(np.abs(found[:, 0] - model.predict(X))) < 1e-11


def test_integer_columns_are_converted(table):
    X, y = np.round(table[0]).astype(np.int64), table[1][:, 0]
    model = LassoRegressor(max_inputs=3).fit(X, y)
    (found,) = run(skl2onnx.to_onnx(model, X[:1]), X)
    assert np.max(np.abs(found[:, 0] - model.predict(X))) < 1e-3


def test_a_table_with_named_columns(table):
    X, y = table[0], table[1][:, 0]
    frame = pd.DataFrame(X, columns=[f"sensor {i}" for i in range(X.shape[1])])
    model = LassoRegressor(max_inputs=3).fit(frame, y)
    graph = skl2onnx.to_onnx(model, X[:1])
    assert np.max(np.abs(run(graph, X)[0][:, 0] - model.predict(frame))) < 1e-11


class Classifier(ClassifierMixin, BaseEstimator):
    """The least a classifier of ours has."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, X, y=None):
        self.model_ = self.model
        self.classes_ = np.array(self.model.classes)
        return self

    def onnx_shape_calculator(self):
        return skl2onnx_converter.shapes

    def onnx_converter(self):
        return skl2onnx_converter.convert


def test_classifiers_give_labels_and_probabilities(shapes, rows_of):
    for name in ("logistic", "softmax"):
        model = shapes[name]
        rows = np.array([[0.0] * len(model.columns)] * 20)
        given = rows_of(model, missing=False, count=20)[:20]
        for row, values in zip(rows, given, strict=True):
            row[[one.column for one in model.inputs]] = values
        graph = skl2onnx.to_onnx(Classifier(model).fit(rows), rows[:1])
        label, probabilities = run(graph, rows)
        wanted = [predict(model, row) for row in given]
        assert label.tolist() == [one.label for one in wanted]
        assert np.allclose(probabilities[:, -len(wanted[0].values) :], [one.values for one in wanted], atol=1e-12)


@pytest.mark.parametrize("classes", [("no", "yes"), (0, 1), ("a", "b", "c"), (3, 5, 9)])
def test_our_classifier_in_a_pipeline(classes):
    source = np.random.default_rng(7)
    X = source.normal(20.0, 3.0, size=(400, 8))
    z = np.column_stack([X[:, 1] - 20.0, 20.0 - X[:, 4], 0.8 * (X[:, 6] - 20.0)])[:, : len(classes)]
    y = np.array(classes)[np.argmax(z + source.gumbel(size=z.shape), axis=1)]
    pipeline = make_pipeline(StandardScaler(), LassoClassifier()).fit(X, y)
    graph = skl2onnx.to_onnx(pipeline, X[:1])
    label, probabilities = run(graph, X)
    assert np.allclose(probabilities, pipeline.predict_proba(X), atol=1e-9)
    assert label.tolist() == pipeline.predict(X).tolist()
    assert label.dtype == (np.int64 if isinstance(classes[0], int) else object)


def test_an_opset_that_is_too_low_is_refused(table):
    X, y = table[0], table[1][:, 0]
    model = LassoRegressor(max_inputs=2).fit(X, y)
    with pytest.raises(ExportError, match="target_opset=12 is too low for edge-lasso; it must be 13 or more"):
        skl2onnx.to_onnx(model, X[:1], target_opset=12)
