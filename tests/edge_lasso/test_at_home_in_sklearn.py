"""Our estimators where scikit-learn's are at home: files, sparse rows, names; pipelines from skops files."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.linear_model import Lasso
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from typer.testing import CliRunner

from edge_lasso import LassoClassifier, LassoRegressor, ResidualDetector, from_sklearn
from edge_lasso.commands.main import app
from edge_lasso.errors import DataError
from edge_lasso.estimators.skops_file import from_skops
from edge_lasso.estimators.tables import dense

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5))
Y = 2.0 * X[:, 0] - X[:, 3] + 0.1 * RNG.normal(size=200)


@pytest.fixture(
    scope="module", params=[LassoRegressor(), LassoClassifier(), ResidualDetector()], ids=lambda e: type(e).__name__
)
def fitted(request):
    target = Y > 0 if isinstance(request.param, LassoClassifier) else Y
    return request.param.fit(X, target)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(fitted, protocol):
    again = pickle.loads(pickle.dumps(fitted, protocol=protocol))
    assert again.model_ == fitted.model_
    assert again.model_.limit == fitted.model_.limit
    assert (again.predict(X) == fitted.predict(X)).all()


@pytest.mark.needs("module:skops")
def test_skops(fitted):
    from skops import io

    data = io.dumps(fitted)
    kinds = io.get_untrusted_types(data=data)
    assert all(kind.startswith(("edge_lasso.", "edge_lasso_runtime.")) for kind in kinds)
    again = io.loads(data, trusted=kinds)
    assert again.model_ == fitted.model_
    assert (again.predict(X) == fitted.predict(X)).all()


def test_targets_keep_their_names():
    assert LassoRegressor().fit(X, pd.Series(Y, name="flow")).model_.outputs[0].name == "flow"
    two = pd.DataFrame({"flow": Y, "level": -Y})
    assert [one.name for one in LassoRegressor().fit(X, two).model_.outputs] == ["flow", "level"]
    assert LassoClassifier().fit(X, pd.Series(Y > 0, name="alarm")).model_.outputs[0].name == "alarm"


@pytest.mark.parametrize("estimator", [LassoRegressor(), LassoClassifier()], ids=lambda e: type(e).__name__)
def test_sparse_rows_are_what_they_are_written_out(estimator):
    rows = sparse.csr_matrix(np.where(np.abs(X) < 0.5, 0.0, X))
    target = Y > 0 if isinstance(estimator, LassoClassifier) else Y
    coef = estimator.fit(rows.toarray(), target).coef_
    wanted = estimator.predict(rows.toarray())
    np.testing.assert_array_equal(estimator.fit(rows, target).coef_, coef)
    np.testing.assert_array_equal(estimator.predict(rows), wanted)


def test_the_size_of_sparse_rows_is_said_before_memory():
    with pytest.raises(DataError, match=r"X is sparse, 100,000 x 100,000, and would take 76,293 MB written out"):
        dense(sparse.csr_matrix((100_000, 100_000)))


def test_numpy_that_raises():
    with np.errstate(all="raise"):
        LassoRegressor().fit(X, Y).predict(X)
        LassoClassifier().fit(X, Y > 0).predict_proba(X)
        from_sklearn(make_pipeline(StandardScaler(), Lasso(0.1)).fit(X, Y), X)


@pytest.fixture
def folder(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame.assign(y=Y).to_csv(tmp_path / "rows.csv", index=False)
    from skops import io

    io.dump(make_pipeline(StandardScaler(), Lasso(0.1)).fit(frame, Y), tmp_path / "pipeline.skops")
    io.dump(make_pipeline(FunctionTransformer(dense), Lasso(0.1)).fit(frame, Y), tmp_path / "strange.skops")
    io.dump(make_pipeline(FunctionTransformer(print), Lasso(0.1)), tmp_path / "printing.skops")
    (tmp_path / "broken.skops").write_bytes(b"PK\x03\x04 no zip")
    (tmp_path / "pipeline.pkl").write_bytes(pickle.dumps(Lasso()))
    return tmp_path


@pytest.mark.needs("module:skops")
def test_a_pipeline_in_a_skops_file_is_exported(folder):
    command = ["export", str(folder / "pipeline.skops"), "--to", "python", "--out", str(folder / "out")]
    result = CliRunner().invoke(app, [*command, "--data", str(folder / "rows.csv")])
    assert result.exit_code == 0, result.output
    assert (folder / "out" / "python-double" / "model.py").is_file()
    model = from_skops(folder / "pipeline.skops", folder / "rows.csv")
    assert [one.low for one in model.inputs] == [X[:, one.column].min() for one in model.inputs]


@pytest.mark.needs("module:skops")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "pipeline.pkl",
            "pipeline.pkl is a pickle, which runs whatever it holds when it is read; write the pipeline with",
        ),
        ("printing.skops", "printing.skops holds builtins.print, which could run anything when it is read"),
        ("broken.skops", "broken.skops is no skops file; write one with skops.io.dump"),
        ("absent.skops", "absent.skops does not exist"),
        ("strange.skops", "the function 'dense' can be anything; known are"),
    ],
)
def test_files_that_are_refused(folder, name, message):
    with pytest.raises(DataError) as caught:
        from_skops(folder / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "estimator", [LassoRegressor(cv=GroupKFold(3)), LassoClassifier(cv=GroupKFold(3))], ids=lambda e: type(e).__name__
)
def test_groups_are_routed(estimator):
    target = Y > 0 if isinstance(estimator, LassoClassifier) else Y
    groups = np.arange(len(Y)) % 7
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), estimator.set_fit_request(groups=True))
        routed = pipeline.fit(X, target, groups=groups)[-1].coef_
    rows = StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(routed, type(estimator)(cv=GroupKFold(3)).fit(rows, target, groups=groups).coef_)
