"""Groups that no fold divides, gaps between blocks of time, and errors told apart by segment."""

import json

import numpy as np
import pyarrow as pa
import pytest

from edge_lasso.commands.main import main
from edge_lasso.errors import DataError
from edge_lasso.statistics import group_folds as row_labels
from edge_lasso.statistics.plans import forward_chain
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table


def table(rows=400, groups=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 5))
    at = rng.integers(0, groups, rows)
    shift = rng.normal(0.0, 3.0, groups)[at]  # rows of a group share what no input explains
    columns = {f"x{j}": X[:, j] for j in range(5)}
    columns["spot"] = shift + rng.normal(0.0, 0.01, rows)
    columns["site"] = pa.array([f"site {i}" for i in at])
    columns["y"] = X[:, 0] + shift + rng.normal(0.0, 0.1, rows)
    return pa.table(columns), at


def test_every_fold_holds_whole_groups():
    data, at = table()
    result = train_table(data, "y", Training.of(group="site", drop=["spot"]))
    assert len(result.folds.splits) == 8
    assert "site" not in result.folds.columns
    for train, test in result.folds.splits:
        assert sorted([*train, *test]) == list(range(8))
    assert sorted(part.rows for part in result.folds.parts) == sorted(np.bincount(at).tolist())
    assert result.model.provenance["options"]["group"] == "site"


def test_the_error_between_groups_is_larger_than_within():
    data, _ = table()
    within = train_table(data, "y", Training.of(drop=["spot", "site"])).fits[0].cv_error
    between = train_table(data, "y", Training.of(group="site", drop=["spot"])).fits[0].cv_error
    assert between > within


def test_many_groups_share_folds(monkeypatch):
    monkeypatch.setattr(row_labels, "ALONE_UP_TO", 5)
    data, _ = table()
    assert len(train_table(data, "y", Training.of(group="site", cv=3)).folds.splits) == 3


def test_segments_tell_where_the_model_is_wrong():
    data, _ = table(rows=600, groups=3)
    result = train_table(data, "y", Training.of(drop=["spot"], inputs=["x*"], holdout=0.5, segment="site"))
    found = result.model.provenance["segments"]
    held = result.held
    error = (held.prediction - held.truth)[:, 0]
    names = np.array(data["site"].to_pylist())[300:]
    for name, one in found.items():
        assert one["rows"] == np.count_nonzero(names == name)
        assert one["rmse"] == pytest.approx(np.sqrt(np.mean(error[names == name] ** 2)))
        assert one["bias"] == pytest.approx(np.mean(error[names == name]))
    assert sum(one["rows"] for one in found.values()) == 300


def test_a_gap_keeps_blocks_apart():
    data, _ = table()
    columns = {name: data[name] for name in data.column_names if name != "site"}
    timed = pa.table({**columns, "time": np.arange(400)})
    folds = train_table(timed, "y", Training.of(time="time", gap=10)).folds
    assert folds.splits == forward_chain(400, 5, 10).splits
    assert sum(part.rows for part in folds.parts) == 400


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"group": "nowhere"}, "nowhere"),
        ({"group": "site", "cv": 0}, "--group makes the folds"),
        ({"group": "site", "time": "x0"}, "--group makes the folds"),
        ({"segment": "site"}, "give --holdout"),
        ({"gap": 5}, "needs --time"),
        ({"gap": -1, "time": "x0"}, "gap is -1"),
    ],
)
def test_bad_input(options, said):
    with pytest.raises(DataError, match=said):
        train_table(table()[0], "y", Training.of(**options))


def test_one_group_is_too_few():
    with pytest.raises(DataError, match="has 1 group in the rows trained on"):
        train_table(table(groups=1)[0], "y", Training.of(group="site"))


def test_the_command(tmp_path, monkeypatch, capsys):
    import pyarrow.csv

    monkeypatch.chdir(tmp_path)
    pyarrow.csv.write_csv(table()[0], "data.csv")
    train = ["train", "data.csv", "--target", "y", "--out", "m.json"]
    assert main([*train, "--group", "site", "--drop", "spot"]) == 0
    assert main([*train, "--drop", "site", "--holdout", "0.3", "--segment", "site", "--json"]) == 0
    out = capsys.readouterr().out
    assert set(json.loads(out[out.index("{") :])["segments"]) <= {f"site {i}" for i in range(8)}
