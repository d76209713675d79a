"""What the rows trained on look like: health and drift against the runtime's own counting."""

import numpy as np
import pyarrow as pa
import pytest

from edge_lasso.compressing.prune import prune
from edge_lasso.errors import DataError
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.tables.series import lags
from edge_lasso.training.normal_rows import MOST_SAMPLES, bins, page_hinkley
from edge_lasso.training.options import Training
from edge_lasso.training.train_table import train_table
from edge_lasso.training.update_table import update_table
from edge_lasso_runtime import dumps, loads
from edge_lasso_runtime.drift import MOVED, STABLE, psi
from edge_lasso_runtime.step import start, step

START = np.datetime64("2024-01-01T00:00:00")


def plant(rows=2000, seed=0, minutes=None):
    rng = np.random.default_rng(seed)
    a = np.round(np.cumsum(rng.normal(size=rows)) * 0.3 + 20.0)
    b = rng.normal(size=rows)
    a[100:130] = 21.0
    b[50] = 9.0
    a[rng.random(rows) < 0.05] = np.nan
    y = np.nan_to_num(a, nan=20.0) + 2.0 * b + 0.5 * rng.normal(size=rows)
    minutes = np.arange(rows) if minutes is None else minutes
    return pa.table({"time": START + minutes * np.timedelta64(60, "s"), "a": a, "b": b, "y": y})


def rows_of(table):
    return [
        {name: None if value != value else value for name, value in row.items()}
        for row in table.drop_columns(["time"]).to_pylist()
    ]


def test_the_training_rows_are_in_order_and_their_parts_are_those_stated():
    table = plant()
    model = loads(dumps(train_table(table, "y", Training.of(time="time")).model))
    state = start(model)
    seen = set()
    for row in rows_of(table):
        result, state = step(model, state, row)
        seen |= set(result.faults.values())
    assert seen == {"missing"}
    section = model.sections["drift/1"]
    for one, counts in zip(section["readings"], state.drift.counts, strict=True):
        assert np.array(counts[:-1]) / sum(counts[:-1]) == pytest.approx(one["parts"], abs=1e-6)
        assert counts[-1] / 2000 == pytest.approx(one["missing"], abs=1e-6)
    assert psi(section["score"]["parts"], state.drift.score) < STABLE
    assert state.drift.level - state.drift.lowest < section["page_hinkley"]["limit"]


def test_longest_runs_and_largest_steps_skip_gaps_in_readings_but_not_in_time():
    minutes = np.concatenate([np.arange(110), np.arange(500, 2390)])
    table = plant(minutes=minutes)
    whole = train_table(plant(), "y", Training.of(time="time")).model.sections["health/1"]["readings"]
    cut = train_table(table, "y", Training.of(time="time")).model.sections["health/1"]["readings"]
    a = table["a"].to_numpy()
    known = a[~np.isnan(a)]
    edges = np.flatnonzero(np.diff(known, prepend=np.nan, append=np.nan))
    assert whole[0] == {"input": "a", "stuck": int(np.diff(edges).max()), "jump": float(np.abs(np.diff(known)).max())}
    assert cut[0]["stuck"] < whole[0]["stuck"]  # ten readings before the gap, twenty behind
    assert whole[1]["stuck"] == 5
    assert whole[1]["jump"] == pytest.approx(np.abs(np.diff(table["b"].to_numpy())).max())


def test_a_stuck_sensor_a_jump_and_a_moved_world_are_noticed():
    table = plant()
    model = loads(dumps(train_table(table, "y", Training.of(time="time")).model))
    state, faults = start(model), []
    for row in rows_of(plant(600, seed=1)):
        moved = {**row, "b": row["b"] + 3.0}
        if len(faults) >= 400:
            moved["a"] = 22.0
        result, state = step(model, state, moved)
        faults.append(result.faults.get("a"))
    assert faults[-1] == "stuck"
    limit = model.sections["health/1"]["readings"][0]["stuck"]
    assert "stuck" not in faults[: 400 + limit - 1]
    section = model.sections["drift/1"]
    assert psi(section["readings"][1]["parts"], state.drift.counts[1][:-1]) > MOVED
    assert state.drift.level - state.drift.lowest > section["page_hinkley"]["limit"]


def test_rows_held_out_are_not_looked_at():
    table = plant()
    b = table["b"].to_numpy().copy()
    b[1700:] = 1e6
    late = table.set_column(2, "b", [b])
    for name in ("health/1", "drift/1"):
        whole = train_table(table.slice(0, 1600), "y", Training.of(time="time")).model.sections[name]
        part = train_table(late, "y", Training.of(time="time", holdout=0.2)).model.sections[name]
        assert part == whole


def test_large_tables_are_sampled_evenly():
    rng = np.random.default_rng(0)
    rows = 3 * MOST_SAMPLES + 5
    b = np.linspace(0.0, 1.0, rows)
    table = pa.table({"b": b, "c": rng.normal(size=rows), "y": b + 0.01 * rng.normal(size=rows)})
    model = train_table(table, "y", Training.of(sections=["drift"])).model
    reading = model.sections["drift/1"]["readings"][0]
    assert reading["edges"] == pytest.approx(np.arange(1, 8) / 8, abs=1e-3)
    assert reading["parts"] == pytest.approx([1 / 8] * 8, abs=1e-3)


def test_bins_of_few_values():
    assert bins(np.array([3.0, 3.0, np.nan, 3.0])) == {"edges": [3.0], "parts": [1.0, 0.0]}
    found = bins(np.array([0.0] * 60 + [1.0] * 40))
    assert found == {"edges": [0.0, 1.0], "parts": [0.6, 0.4, 0.0]}
    assert page_hinkley(np.full(10, 2.0))["deviation"] == 2.0


def test_sections_by_default_and_when_asked_for(tmp_path):
    table = plant()
    names = lambda **options: list(train_table(table, "y", Training.of(**options)).model.sections)  # noqa: E731
    everything = ["health/1", "drift/1", "estimate/1"]
    assert names(drop=["time"]) == ["estimate/1"]
    assert names(time="time") == everything
    assert names(drop=["time"], past=lags(1)) == everything
    assert names(time="time", sections=["health"]) == ["health/1"]
    assert names(drop=["time"], sections=["drift"]) == ["drift/1"]
    mixed = table.take(np.random.default_rng(0).permutation(2000))
    assert list(train_table(mixed, "y", Training.of(time="time")).model.sections) == ["drift/1", "estimate/1"]
    with pytest.raises(
        DataError, match="health compares each reading with the one before, and the rows are not in the"
    ):
        train_table(mixed, "y", Training.of(time="time", sections=["health"]))


def test_pruning_forgets_the_readings_that_are_gone():
    result = train_table(plant(), "y", Training.of(time="time"))
    small = prune(result.model, result.folds, max_inputs=1)
    (name,) = [one.name for one in small.inputs]
    for key in ("health/1", "drift/1"):
        assert [one["input"] for one in small.sections[key]["readings"]] == [name]
    before, after = (one.sections["drift/1"]["page_hinkley"]["deviation"] for one in (result.model, small))
    assert after > before
    assert loads(dumps(small)) == small


def test_an_update_describes_the_new_rows(tmp_path):
    table = plant()
    first = train_table(table.slice(0, 1500), "y", Training.of(time="time"))
    first.folds.save(tmp_path / "s.npz")
    second = update_table(FoldStatistics.load(tmp_path / "s.npz"), table.slice(1500))
    assert list(second.model.sections) == list(first.model.sections)
    assert second.model.sections["health/1"] != first.model.sections["health/1"]


def test_a_model_without_inputs_has_nothing_to_watch():
    rng = np.random.default_rng(0)
    table = pa.table(
        {"time": START + np.arange(300) * np.timedelta64(60, "s"), "a": rng.normal(size=300), "y": rng.normal(size=300)}
    )
    model = train_table(table, "y", Training.of(time="time")).model
    assert not model.inputs
    assert not {"health/1", "drift/1"} & set(model.sections)
    result, _ = step(model, start(model), {"y": 1.0})
    assert result.status == "ok"
