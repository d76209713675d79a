"""A real Dask cluster gives the model that one machine gives, also when a worker is killed on the way."""

import os
import signal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from edge_lasso.errors import DataError
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics import cluster as cluster_module
from edge_lasso.statistics.inputs import model_term_names
from edge_lasso.training.options import Training
from edge_lasso.training.train_classes import train_classes
from edge_lasso.training.train_table import train_table

pytestmark = pytest.mark.needs("module:distributed")


@pytest.fixture(scope="module")
def running():
    """Two worker processes."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(cluster_module, "PIECE_ROWS", 2000)


def readings(n=20_000, offset=0.0):
    """Rows with gaps, a category, missing targets and times."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) + offset
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(6)])
    table["kind"] = np.array(["red", "green", None])[rng.integers(0, 3, size=n)]
    table["y"] = X[:, 0] - 2.0 * X[:, 3] + X[:, 1] * X[:, 2] + 3.0 * (table["kind"] == "red") + rng.normal(size=n) * 0.1
    table[rng.random(table.shape) < 0.01] = np.nan
    table.insert(0, "time", pd.date_range("2024-01-01", periods=n, freq="min").astype(str))
    table.loc[[5, n // 2], "time"] = ["soon", table["time"][n // 2 - 1]]
    return table


def folder(tmp_path, table, files=5):
    """CSV files, in order."""
    tmp_path.mkdir(exist_ok=True)
    for i, rows in enumerate(np.array_split(np.arange(len(table)), files)):
        table.iloc[rows].to_csv(tmp_path / f"{i}.csv", index=False)
    return tmp_path


def file(tmp_path, table):
    """One Parquet file of many row groups."""
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(pa.Table.from_pandas(table, preserve_index=False), path, row_group_size=900)
    return path


def same(a, b):
    assert a.folds.columns == b.folds.columns
    assert model_term_names(a.model) == model_term_names(b.model)
    for one, other in zip(a.model.outputs, b.model.outputs, strict=True):
        assert [term.coef for term in one.terms] == pytest.approx([term.coef for term in other.terms], rel=1e-10)
        assert one.intercept == pytest.approx(other.intercept, rel=1e-10)
    for one, other in zip(a.model.inputs, b.model.inputs, strict=True):
        assert (one.name, one.low, one.high, one.categories) == (other.name, other.low, other.high, other.categories)
        assert one.default == (other.default and pytest.approx(other.default, rel=1e-12, abs=1e-14))
    assert a.model.provenance["data"] == b.model.provenance["data"]
    assert [fit.alpha for fit in a.fits] == pytest.approx([fit.alpha for fit in b.fits], rel=1e-10)


@pytest.mark.parametrize("kind", [folder, file], ids=["folder of CSV", "row groups of Parquet"])
@pytest.mark.parametrize("options", [
    {"time": "time", "categorical": ["kind"]}, {"drop": ["time", "kind"], "degree": 2}, {"drop": ["time", "kind"], "cv": 3},
    {"categorical": ["kind"], "time": "time", "hinges": 3},
], ids=["times and categories", "degree 2", "K-fold", "hinges"])  # fmt: skip
def test_the_same_model_as_on_one_machine(tmp_path, running, kind, options):
    path = kind(tmp_path / "d" if kind is folder else tmp_path, readings(offset=100.0).assign(empty=np.nan))
    alone = train_table(path, "y", Training.of(**options))
    seen = []
    progress = lambda *what: seen.append(what)  # noqa: E731
    together = train_table(path, "y", Training.of(cluster=running.scheduler_address, **options), progress=progress)
    same(together, alone)
    wanted = [note.split(" (first")[0] for note in alone.notes if "put in the order" not in note]
    assert [note.split(" (first")[0].replace("; all are used", "") for note in together.notes] == wanted
    assert seen


def test_a_killed_worker_costs_time_and_nothing_else(tmp_path, running):
    from distributed import Client

    path = file(tmp_path, readings(60_000))
    killed = []

    def kill(done, total, text):
        if "collected" in text and not killed:
            with Client(running) as client:
                killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    options = {"time": "time", "categorical": ["kind"]}
    together = train_table(path, "y", Training.of(cluster=running.scheduler_address, **options), progress=kill)
    assert killed
    same(together, train_table(path, "y", Training.of(**options)))


def test_a_cluster_of_its_own(tmp_path):
    path = folder(tmp_path, readings(3000), 2)
    options = {"drop": ["time", "kind"]}
    same(
        train_table(path, "y", Training.of(cluster="local", **options)), train_table(path, "y", Training.of(**options))
    )


def test_what_a_cluster_cannot_do(tmp_path, running, monkeypatch):
    address = running.scheduler_address
    table = readings(15_000)
    monkeypatch.setattr(cluster_module, "ANSWER_WITHIN", "1s")
    path = folder(tmp_path / "d", table)
    for where in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(DataError, match=f"^--cluster: no Dask scheduler answers at '{where}'; give an address"):
            train_table(path, "y", Training.of(drop=["time", "kind"], cluster=where))
    with pytest.raises(DataError, match=r"^--cluster reads files, which every worker can see; give a path$"):
        train_table(table, "y", Training.of(cluster=address))
    with pytest.raises(DataError, match=r"^--cluster and --holdout do not go together"):
        train_table(path, "y", Training.of(cluster=address, holdout=0.2))
    with pytest.raises(
        DataError, match=r"^column 'kind' holds '\w+' \(line \d+ of \d.csv\), which is not a number; declare it"
    ):
        train_table(path, "y", Training.of(drop=["time"], cluster=address))
    with pytest.raises(DataError, match=r"^column 'kind' holds .* a target of a regression must hold numbers$"):
        train_table(path, "kind", Training.of(drop=["time"], cluster=address))
    backwards = folder(tmp_path / "b", table[::-1])
    with pytest.raises(DataError, match=r"^--cluster needs rows in the order of 'time'; sort them, or train without"):
        train_table(backwards, "y", Training.of(time="time", drop=["kind"], cluster=address))
    with pytest.raises(DataError, match=r"^--time: no value of column 'kind' is a time, the first is"):
        train_table(path, "y", Training.of(time="kind", drop=["time"], cluster=address))
    with pytest.raises(DataError, match=r"^target 'nothing' has no readings in the 15000 rows of n$"):
        train_table(folder(tmp_path / "n", table.assign(nothing=np.nan)), "nothing", Training.of(cluster=address))


def test_dask_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(
        DataError, match=r"^--cluster needs Dask; install it with: pip install 'edge-lasso\[cluster\]'$"
    ):
        train_table(folder(tmp_path, readings(500)), "y", Training.of(drop=["time", "kind"], cluster="local"))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_classifier_is_the_one_of_one_machine(tmp_path, running, classes):
    table = readings(12_000)
    table["on"] = np.array(["no", "yes", "perhaps"])[np.digitize(table["y"].fillna(0.0), [0.0, 2.5][: classes - 1])]
    table.loc[::50, "on"] = None
    path = folder(tmp_path, table.drop(columns=["y", "time"]))
    options = TrainOptions(max_inputs=4, alphas=15)
    here = train_classes(
        path, "on", Training.of(categorical=["kind"], method=options), class_weight="balanced", in_memory=20_000
    )
    there = train_classes(path, "on", Training.of(categorical=["kind"], method=options, cluster=running.scheduler_address), class_weight="balanced", in_memory=20_000)  # fmt: skip
    assert here.model.provenance["data"]["rows_that_chose"] < here.model.provenance["data"]["rows"] == 11_760
    assert [one.name for one in there.model.inputs] == [one.name for one in here.model.inputs]
    assert there.fit.alpha == here.fit.alpha
    assert there.fit.coefs == pytest.approx(here.fit.coefs, rel=1e-8, abs=1e-10)
