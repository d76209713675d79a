"""`--hinges`: what an input is above its knots competes through the same statistics, counted as the input it is."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from edge_lasso.commands.main import app
from edge_lasso.compressing.prune import prune
from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.predicting.predict_table import linear_rows
from edge_lasso.statistics import first_pass
from edge_lasso.statistics.first_pass import knots_of, scattered
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.tables.tables import model_rows
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso.training.train_table import train_table
from edge_lasso.training.update_table import update_table
from edge_lasso_runtime import dumps, loads, predict

SUBSET = TrainOptions(max_inputs=2)


def bent(n=1500, gaps=0.0, seed=0):
    """y bends in a and is straight in b; c, a switch and a kind say nothing."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n)).round(2)
    y = 3.0 * np.maximum(a - 0.5, 0.0) + b + 0.1 * rng.normal(size=n)
    table = pd.DataFrame({"a": a, "b": b, "c": c, "on": rng.integers(0, 2, n), "kind": rng.choice(["r", "g"], n)})
    table = table.mask(rng.random(table.shape) < gaps)
    return table.assign(y=y)


def knots(model):
    return {f.hinge for output in model.outputs for term in output.terms for f in term.factors if f.hinge is not None}


def test_they_win_where_the_target_bends_and_count_as_their_input():
    table = bent()
    straight = train_table(table, "y", Training.of(categorical=["kind"], holdout=0.2))
    result = train_table(table, "y", Training.of(categorical=["kind"], holdout=0.2, hinges=5, method=SUBSET))
    assert [feature.name for feature in result.model.inputs] == ["a", "b"]
    assert result.fits[0].n_inputs == 2
    assert result.held.quality()["rmse"] < 0.2 < straight.held.quality()["rmse"]
    assert result.model.bent
    model = loads(dumps(result.model))
    assert model == result.model
    row = {"a": 1.7, "b": -0.3}
    assert predict(model, row).values[0] == pytest.approx(3.0 * 1.2 - 0.3, abs=0.1)
    assert model.provenance["options"]["hinges"] == 5


def test_knots_are_readings_that_part_the_rows_and_switches_have_none():
    table = bent()
    design = train_table(table, "y", Training.of(categorical=["kind"], hinges=4)).folds.about
    assert set(design["knots"]) == {"a", "b", "c"}
    for name, places in design["knots"].items():
        assert len(places) == 4
        assert set(places) <= set(table[name])
        assert [(table[name] <= knot).mean() for knot in places] == pytest.approx([0.2, 0.4, 0.6, 0.8], abs=0.01)


@pytest.mark.parametrize(("values", "count", "wanted"), [
    ([0.0, 1.0] * 50, 5, ()), ([2.0] * 9, 3, ()), ([], 3, ()), ([np.nan, np.inf, 2.0**101], 3, ()),
    ([0.0, 1.0, 2.0] * 9, 5, (1.0,)), (list(range(101)), 3, (25.0, 50.0, 75.0)), (list(range(101)), 0, ()),
    ([0.0] * 90 + [1.0, 2.0, 3.0], 3, ()),
], ids=["switch", "constant", "empty", "missing", "few values", "even", "none", "mostly one value"])  # fmt: skip
def test_where_knots_are(values, count, wanted):
    assert knots_of(np.array(values, dtype=float), count) == wanted


def test_the_sample_does_not_depend_on_where_batches_end(tmp_path, monkeypatch):
    monkeypatch.setattr(first_pass, "SAMPLE", 100)
    table = bent(3000)
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet", index=False, row_group_size=700)
    first, second = (
        train_table(tmp_path / name, "y", Training.of(drop=["kind"], hinges=3)).folds.about["knots"]
        for name in ("t.csv", "t.parquet")
    )
    assert first == second
    drawn = scattered(np.arange(10_000))
    assert len(np.unique(drawn)) == 10_000
    chosen = np.sort(np.argsort(drawn)[:1000]) % 24
    assert np.bincount(chosen, minlength=24).min() > 20  # every hour of the day


def test_gaps_are_filled_as_the_board_does():
    table = bent(gaps=0.15)
    training = Training.of(drop=["kind"], hinges=4, method=TrainOptions(select="bic"))  # a refit: least squares
    model = train_table(table, "y", training).model
    assert knots(model)
    rows = model_rows(table, model)
    left = table["y"].to_numpy() - linear_rows(model, rows)[0][:, 0]
    assert abs(left.mean()) < 1e-9
    for term in model.outputs[0].terms:
        alone = model.replace(outputs=(model.outputs[0].replace(intercept=0.0, terms=(term.replace(coef=1.0),)),))
        value = linear_rows(alone, rows)[0][:, 0]
        assert abs((value - value.mean()) @ left) < 1e-7 * len(table)


def test_rows_held_out_say_nothing_of_knots():
    table = bent()
    other = table.copy()
    other.loc[1200:, ["a", "b", "c"]] = 1e6
    training = Training.of(drop=["kind"], hinges=4, holdout=0.2)
    first, second = (train_table(data, "y", training) for data in (table, other))
    assert first.folds.about["knots"] == second.folds.about["knots"]
    assert first.folds.hash == second.folds.hash


def test_an_update_keeps_the_knots():
    table = bent(2000)
    old = train_table(table[:1500], "y", Training.of(drop=["kind"], hinges=4, cv=4))
    new = update_table(old.folds, table[1500:].assign(a=table["a"][1500:] + 3.0))
    assert new.folds.about["knots"] == old.folds.about["knots"]
    assert new.folds.columns == old.folds.columns
    assert knots(new.model) <= {place for places in old.folds.about["knots"].values() for place in places}
    again = update_table(new.folds, table[:200], again=True)
    assert again.folds.about["knots"] == old.folds.about["knots"]


def test_pruning_drops_an_input_with_its_hinges(tmp_path):
    result = train_table(bent(), "y", Training.of(drop=["kind"], hinges=3, method=TrainOptions(select="min")))
    result.folds.save(tmp_path / "m.stats.npz")
    model = prune(result.model, FoldStatistics.load(tmp_path / "m.stats.npz"), max_inputs=1)
    assert [feature.name for feature in model.inputs] == ["a"]
    assert knots(model) == {f.hinge for t in result.model.outputs[0].terms for f in t.factors
                            if f.hinge is not None and result.model.inputs[f.input].name == "a"}  # fmt: skip


def test_with_squares_costs_and_signs():
    result = train_table(bent(), "y", Training.of(drop=["kind"], hinges=2, degree=2, method=TrainOptions(select="min")))
    names = result.folds.columns
    assert "a * b" in names
    assert sum(name.startswith("max(0, a") for name in names) == 2
    from edge_lasso.paths.sensors import Sensors

    sensors = Sensors(costs={"a": 50.0}, signs={"b": -1})
    model = train_table(bent(), "y", Training.of(drop=["kind"], hinges=3, sensors=sensors)).model
    slopes = [t.coef for t in model.outputs[0].terms if model.inputs[t.factors[0].input].name == "b"]
    assert all(slope < 0.0 for slope in slopes)


@pytest.mark.parametrize("method", ["relaxed", "adaptive", "omp", "group", "subset"])
def test_every_method_takes_them(method):
    training = Training.of(drop=["kind"], hinges=3, method=TrainOptions(method=method, max_inputs=2))
    result = train_table(bent(), "y", training)
    assert [feature.name for feature in result.model.inputs] == ["a", "b"]
    assert result.fits[0].cv_error ** 0.5 < 0.3


def test_classes_are_told_apart_by_them():
    table = bent().drop(columns="kind")
    table["state"] = np.where(np.abs(table["a"]) > 0.8, "far", "near")
    table = table.drop(columns="y")
    fits = [train_classes(table, "state", Training.of(hinges=count)).fit for count in (0, 3)]
    assert fits[1].cv_error < 0.3 < fits[0].cv_error
    model = train_classes(table, "state", Training.of(hinges=3, method=TrainOptions(max_inputs=1))).model
    assert [feature.name for feature in model.inputs] == ["a"]
    assert [predict(model, {"a": a}).label for a in (-2.0, 0.0, 2.0)] == ["far", "near", "far"]


def test_what_is_refused(tmp_path):
    file = tmp_path / "t.csv"
    bent(300).assign(time=np.arange(300)).to_csv(file, index=False)

    def refusal(*arguments, command="train", target="y"):
        out = tmp_path / "m.json"
        done = CliRunner().invoke(app, [command, str(file), "--target", target, *arguments, "--out", str(out)])
        assert not out.exists()
        return str(done.exception or done.output)

    for count in ("-1", "65"):
        assert f"hinges is {count}; it is a number of knots per input, 1 to 64; 0: none" in refusal("--hinges", count)
    lags = refusal("--hinges", "3", "--lags", "2", "--drop", "kind")
    assert "--hinges does not go with inputs from earlier rows (--lags and the like); leave one of them out" in lags
    with pytest.raises(DataError, match="the model cannot estimate missing inputs: it has hinges"):
        train_table(bent(), "y", Training.of(drop=["kind"], hinges=3, sections=["estimate"]))
    with pytest.raises(DataError, match="hinges is True"):
        Training.of(hinges=True)


def test_statistics_too_large_are_refused_before_they_are_made(monkeypatch):
    from edge_lasso.statistics import collect

    monkeypatch.setattr(collect, "LARGEST", 10_000)
    with pytest.raises(DataError, match=r"of 36 columns \(4 inputs, degree 1, 8 hinges each\) take .* fewer --hinges$"):
        train_table(bent().drop(columns="kind"), "y", Training.of(hinges=8))


def test_the_command_and_what_it_shows(tmp_path):
    bent(600).to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "m.json"
    arguments = ["train", str(tmp_path / "t.csv"), "--target", "y", "--categorical", "kind", "--hinges", "4"]
    done = CliRunner().invoke(app, [*arguments, "--max-inputs", "2", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "max(0, a " in done.output
    model = loads(out.read_text())
    assert {name.split(" ")[1] for name in model_term_names(model)[0] if name.startswith("max")} <= {"a", "b"}
    assert json.loads(out.read_text())["provenance"]["options"]["hinges"] == 4
