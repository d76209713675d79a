"""`LassoClassifier` and `classify`."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

from edge_lasso import LassoRegressor, prune
from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.estimators.classifier import LassoClassifier
from edge_lasso.paths.logistic import LogisticSolver, Rows
from edge_lasso.training import train_classes as module
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso_runtime import load, predict


@pytest.mark.long
@parametrize_with_checks([LassoClassifier(alphas=6)])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def noisy(n=600, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, np.where(X[:, 0] - X[:, 3] + rng.logistic(size=n) > 0.5, "wet", "dry")


@pytest.mark.parametrize("data", [load_iris, load_breast_cancer])
def test_the_model_is_what_the_estimator_says(data):
    X, y = data(return_X_y=True)
    fitted = LassoClassifier(alphas=20, max_inputs=4).fit(X, y)
    assert fitted.score(X, y) > 0.93
    assert 1 <= len(fitted.model_.inputs) <= 4
    columns = [one.column for one in fitted.model_.inputs]
    probability = fitted.predict_proba(X[:40])
    for row, p, label in zip(X[:40], probability, fitted.predict(X[:40]), strict=True):
        found = predict(fitted.model_, row[columns].tolist())
        assert found.label == str(label)
        assert found.values == pytest.approx(p[1:] if len(p) == 2 else p, abs=1e-9)


def test_true_inputs_are_found_and_noise_is_not():
    fitted = LassoClassifier().fit(*noisy())
    assert np.flatnonzero(fitted.coef_[0]).tolist() == [0, 3]
    assert fitted.coef_[0, 0] > 0.0 > fitted.coef_[0, 3]
    assert fitted.classes_.tolist() == ["dry", "wet"]
    assert fitted.cv_error_ < fitted.fit_.cv_null


def test_balanced_classes_move_the_intercept():
    X, y = noisy()
    rare = np.flatnonzero(y == "wet")[30:]
    X, y = np.delete(X, rare, axis=0), np.delete(y, rare)
    plain, even = (LassoClassifier(class_weight=weight).fit(X, y) for weight in (None, "balanced"))
    assert even.intercept_[0] > plain.intercept_[0] + 1.0
    repeated = LassoClassifier(class_weight={"dry": 1.0, "wet": 3.0}, cv=0, select="bic").fit(X, y)
    copies = np.concatenate([np.arange(len(y)), *[np.flatnonzero(y == "wet")] * 2])
    same = LassoClassifier(cv=0, select="bic", alphas=[repeated.alpha_]).fit(X[copies], y[copies])
    assert repeated.coef_ == pytest.approx(same.coef_, abs=1e-6)


def test_shrunken_probabilities_are_stretched_when_that_helps():
    X, y = noisy(2000)
    fitted = LassoClassifier(refit=False).fit(X, y)
    report = fitted.fit_.calibration
    assert fitted.fit_.slope > 1.0
    assert report["after"]["log_loss"] < report["before"]["log_loss"]
    assert report["after"]["log_loss_on_unseen_folds"] < report["before"]["log_loss"]
    assert (fitted.predict(X) == "wet").mean() == pytest.approx(fitted.predict_proba(X)[:, 1].mean(), abs=0.15)


def test_classes_that_are_never_confused_are_not_made_surer():
    X, _ = noisy()
    X = X[np.abs(X[:, 0]) > 0.3]
    fitted = LassoClassifier().fit(X, X[:, 0] > 0.0)
    assert fitted.fit_.calibration["before"]["accuracy"] == pytest.approx(1.0)
    assert (fitted.fit_.slope, fitted.fit_.shift) == (1.0, 0.0)
    assert list(fitted.fit_.calibration) == ["before", "by_class"]


@pytest.mark.parametrize("select", ["min", "1se", "aic", "bic", "ebic"])
def test_ways_to_choose(select):
    assert LassoClassifier(select=select, alphas=15).fit(*noisy()).coef_[0, [0, 3]].all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": ["on"] * 600}, "one class only"),
        (
            {"cv": [(np.arange(300), np.arange(300, 600))], "y": ["on"] * 300 + ["off"] * 300},
            "fold 1 has no training row",
        ),
        ({"sample_weight": np.zeros(600)}, "at least one non-zero"),
        ({"sample_weight": np.full(600, -1.0)}, "Negative values"),
        ({"y": ["on"] * 599 + ["off"]}, "the rarest class has 1 rows"),
        ({"cv": 0}, "needs cross-validation"),
        ({"select": "best"}, "select is 'best'"),
        ({"max_inputs": 0}, "max_inputs is 0"),
    ],
)
def test_bad_input_is_one_clear_error(change, message):
    X, y = noisy()
    y, weight = change.pop("y", y), change.pop("sample_weight", None)
    with pytest.raises(ValueError, match=message):
        LassoClassifier(**change).fit(X, y, sample_weight=weight)


@pytest.fixture
def room(tmp_path, monkeypatch, root):
    """A room's sensors, and whether somebody is there: with more noise, so that the classes overlap."""
    table = pandas.read_csv(root / "tests/data/occupancy.txt")
    rng = np.random.default_rng(0)
    table["Light"] += 150.0 * rng.normal(size=len(table))
    table["day"] = np.where(np.arange(len(table)) % 3 == 0, "rainy", "dry")
    table.to_csv(tmp_path / "room.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return table


TRAIN = [
    "classify",
    "room.csv",
    "--target",
    "Occupancy",
    "--drop",
    "date",
    "--categorical",
    "day",
]


@pytest.mark.long
def test_from_the_command_line_to_verified_artifacts(room, capsys):
    assert main([*TRAIN, "--select", "min", "--max-inputs", "3", "--out", "room.json", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["classes"] == ["0", "1"]
    assert 1 <= len(said["inputs"]) <= 3
    assert said["fits"][0]["calibration"]["before"]["accuracy"] > 0.8
    assert main(["show", "room.json"]) == 0
    assert "log-loss" in capsys.readouterr().out
    assert main(["export", "room.json", "--to", "python,c,onnx,tflite", "--out", "artifacts", "--json"]) == 0
    verdicts = {one["target"]: one["status"] for one in json.loads(capsys.readouterr().out)["artifacts"]}
    assert {verdicts[name] for name in ("python", "c", "onnx", "tflite")} <= {"passed", "not_executed"}
    assert main(["prune", "room.json", "--max-inputs", "1", "--out", "small.json"]) == 0
    small = load("small.json")
    assert len(small.inputs) == 1
    assert "second order" in small.provenance["pruned"]["approximation"]
    assert main(["predict", "room.json", "room.csv", "--out", "room.out.csv"]) == 0
    found = pandas.read_csv("room.out.csv")
    assert (found["label"].to_numpy() == room["Occupancy"].to_numpy()).mean() > 0.8
    assert main(["report", "room.json"]) == 0
    line = Path("trainings.jsonl").read_text().splitlines()[0]
    assert json.loads(line)["options"]["task"] == "classification"


def test_three_classes_from_a_table(tmp_path, monkeypatch, capsys):
    X, y = load_iris(return_X_y=True)
    table = pandas.DataFrame(X, columns=["sl", "sw", "pl", "pw"]).assign(kind=np.array(["a", "b", "c"])[y])
    table.loc[::10, "kind"] = None
    table.to_csv(tmp_path / "iris.csv", index=False)
    monkeypatch.chdir(tmp_path)
    assert main(["classify", "iris.csv", "--target", "kind", "--max-inputs", "2"]) == 0
    assert "15 rows without a target left out" in " ".join(capsys.readouterr().err.split())
    model = load("model.json")
    assert model.classes == ("a", "b", "c")
    assert [one.name for one in model.outputs] == ["kind = a", "kind = b", "kind = c"]


def test_more_rows_than_memory_give_the_exact_solution_on_all(room):
    options = module.TrainOptions(refit=False)
    kept = pandas.concat([room] * 8, ignore_index=True)
    found = train_classes(kept, "Occupancy", Training.of(drop=["date", "day"], method=options), in_memory=5000)
    assert found.model.provenance["data"]["rows_that_chose"] == 1000 < len(kept)
    names = list(found.model.columns)
    X = kept[names].to_numpy(dtype=float)
    chosen = np.unique(np.linspace(0, len(kept) - 1, 1000).astype(int))
    Z = (X - X[chosen].mean(axis=0)) / X[chosen].std(axis=0)
    Y = kept["Occupancy"].to_numpy(dtype=float)[:, None]
    rows = Rows(lambda: iter([(Z, Y, np.full(len(Z), 1.0 / len(Z)))]), Z.shape[1], 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coefs = LogisticSolver(rows, tol=1e-10).solve(found.fit.alpha)
    assert found.fit.coefs == pytest.approx(coefs, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--positive"], "No such option: --positive"),
        (["--segment", "day"], "No such option: --segment"),
        (["--method", "omp"], "classification knows lasso and relaxed"),
        (["--class-weight", "heavy"], "class_weight is 'heavy'"),
    ],
)
def test_options_that_do_not_go_together(room, capsys, options, message):
    assert main([*TRAIN, *options]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_numbers_are_no_classes(room, tmp_path, capsys):
    assert main(["classify", "room.csv", "--target", "CO2", "--drop", "date,day"]) == 2
    assert "more than 100 different values" in " ".join(capsys.readouterr().err.split())


def test_a_classifier_is_not_updated(room, capsys):
    assert main([*TRAIN]) == 0
    assert main(["train", "room.csv", "--update", "model.stats.npz"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "classifier" in error


def test_statistics_of_other_columns_do_not_prune_a_classifier(room):
    assert main([*TRAIN]) == 0
    other = LassoRegressor(cv=0, select="bic").fit(room[["Light", "CO2"]], room["Occupancy"])
    with pytest.raises(DataError, match="know no classes"):
        prune(load("model.json"), other.statistics_, max_inputs=1)
