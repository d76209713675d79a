"""Scoring a whole table says what the board says row by row: scores, alarms, missing and stuck sensors, batches."""

import functools
import itertools

import numpy as np
import pandas
import pytest

from edge_lasso.detecting.calibrated import ChartOptions
from edge_lasso.detecting.fit_detector import DetectorOptions
from edge_lasso.detecting.scored_table import score_table
from edge_lasso.detecting.train_detector import train_detector
from edge_lasso.errors import DataError
from edge_lasso.predicting.board_rows import BoardRows
from edge_lasso.predicting.scores import Scorer, scores
from edge_lasso.tables import tables
from edge_lasso.tables.series import lags
from edge_lasso.training.options import Training
from edge_lasso_runtime.step import start, step

NAMES = [f"s{j}" for j in range(6)]


def plant(n, seed=0, holes=0.0):
    """A table of six sensors that three slow sources drive, one reading a minute."""
    rng = np.random.default_rng(seed)
    sources = np.zeros((n, 3))
    for t in range(1, n):
        sources[t] = 0.7 * sources[t - 1] + rng.normal(size=3)
    X = sources @ np.random.default_rng(9).normal(size=(3, 6)) + 0.3 * rng.normal(size=(n, 6)) + np.arange(6)
    X[rng.random(X.shape) < holes] = np.nan
    time = pandas.date_range("2024-01-01", periods=n, freq="min")
    return pandas.DataFrame(X, columns=NAMES).assign(time=time)


@functools.cache
def trained(lag=1, smoothing=0.2, own_past=False, **more):
    options = DetectorOptions(max_coefs=14, own_past=own_past, chart=ChartOptions(smoothing, **more))
    return train_detector(
        plant(1200), training=Training.of(time="time", past=lags(lag) if lag else []), options=options
    ).model


def with_estimate(model, table):
    """The model with a section ``estimate/1`` from a table's own covariance, and one for its health."""
    rows = BoardRows(model)
    numbers = table[[one.name for one in model.inputs if one.stream is None]].to_numpy()
    rows._history.fill(block := _block(model, numbers))
    block = block[~np.isnan(block).any(axis=1)]
    inverse = np.linalg.inv(np.cov(block.T) + 1e-6 * np.eye(block.shape[1]))
    section = {
        "mean": [one.default for one in model.inputs],
        "inverse": inverse[np.tril_indices(len(inverse))].tolist(),
        "residual": [0.1] * len(model.outputs),
    }
    health = {"readings": [{"input": name, "stuck": 4, "jump": 9.0} for name in NAMES]}
    return model.replace(sections={**model.sections, "estimate/1": section, "health/1": health})


def _block(model, numbers):
    block = np.full((len(numbers), len(model.inputs)), np.nan)
    block[:, [i for i, one in enumerate(model.inputs) if one.stream is None]] = numbers
    return block


@pytest.mark.parametrize("estimates", [False, True])
@pytest.mark.parametrize("options", [{}, {"lag": 0, "smoothing": 1.0}, {"track": 5}, {"adjust": 0.05}, {"lag": 3}])
def test_a_table_is_scored_as_the_board_would(options, estimates):
    model = trained(**options)
    fresh = plant(300, seed=4, holes=0.01)
    fresh.loc[100:140, "s2"] += 6.0
    fresh.loc[200:215, "s4"] = 4.5
    fresh.loc[220:223, NAMES] = np.nan
    fresh.loc[230, "s1"] = 1e300
    fresh = fresh.drop(index=[60, 161, 162, *range(250, 256)]).reset_index(drop=True)
    if estimates:
        model = with_estimate(model, plant(1200))
    found = score_table(model, fresh)
    state = start(model)
    onsets = []
    apart = fresh.time.diff() / fresh.time.diff().median()
    for t, row in enumerate(fresh[NAMES].to_dict("records")):
        if apart[t] > 1.5:
            state.gap(round(apart[t]) - 1)
        result, state = step(model, state, row)
        assert found.scores[t] == pytest.approx(result.score, rel=1e-7, abs=1e-9)
        assert found.hits[t] == result.alarm
        onsets += [t] if result.onset else []
    assert [one.first for one in found.alarms] == onsets
    assert sum(one.rows for one in found.alarms) == found.hits.sum() == state.detector.alarms
    assert 99 <= found.alarms[0].first < 140
    assert "s2" in dict(found.alarms[0].shares)
    assert found.parts.sum() == pytest.approx(found.scores.sum())
    assert found.missing == int(fresh[NAMES].isna().any(axis=1).sum()) + int((fresh.s1 > 1e200).sum())


def test_batches_do_not_matter(monkeypatch, tmp_path):
    model = trained()
    plant(2000, seed=2, holes=0.02).to_csv(tmp_path / "rows.csv", index=False)
    whole = score_table(model, tmp_path / "rows.csv")
    plain = tables.Table.batches

    def pieces(self, *columns):
        for numbers, texts in plain(self, *columns):
            for i in range(0, len(numbers), 313):
                yield numbers[i : i + 313], [one[i : i + 313] for one in texts]

    monkeypatch.setattr(tables.Table, "batches", pieces)
    again = score_table(model, tmp_path / "rows.csv")
    assert (again.scores == whole.scores).all()
    assert again.parts == pytest.approx(whole.parts)
    assert [(a.first, a.last, a.rows, a.peak) for a in again.alarms] == [
        (a.first, a.last, a.rows, a.peak) for a in whole.alarms
    ]


@pytest.mark.parametrize(("fast", "track", "smoothing"), list(itertools.product((0.0, 0.5), (0, 5), (1.0, 0.1))))
def test_scores_in_batches_are_those_of_all_rows(fast, track, smoothing):
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(300, 4))
    residuals[rng.random(residuals.shape) < 0.1] = np.nan
    residuals[:250, 3] = np.nan
    section = {
        "watched": [{"centre": 0.1 * k, "scale": 1.0 + k, "slow": 0.5, "weight": 1.0} for k in range(4)],
        "clip": 3.0, "track": track, "fast": fast, "smoothing": smoothing, "warm_up": 2,
    }  # fmt: skip
    want, parts = scores(residuals, section)
    scorer = Scorer(section)
    pieces = [scorer.step(residuals[a:b]) for a, b in itertools.pairwise([0, 0, 1, 3, 100, 101, 280, 300])]
    assert (np.concatenate([one for one, _ in pieces]) == want).all()
    assert (np.concatenate([one for _, one in pieces]) == parts).all()


def test_gaps_and_rows_out_of_order():
    model = trained(lag=2, own_past=True)
    assert any(one.stream for one in model.inputs)
    fresh = plant(300, seed=4)
    fresh.loc[150:, "time"] += pandas.Timedelta(hours=3)
    found = score_table(model, fresh)
    assert found.breaks.tolist() == [150]
    assert found.timed
    fresh.loc[150:, "s0"] += 50.0
    hits = score_table(model, fresh).hits
    assert not hits[150 : 150 + found.warm_up].any()  # as after a start
    assert hits[150 + found.warm_up :].all()
    assert not score_table(model, fresh.drop(columns="time")).timed
    with pytest.raises(DataError, match="is earlier than the row before it"):
        score_table(model, fresh.iloc[::-1])
    for few in (0, 1):
        with pytest.raises(DataError, match=f"the table has {few} rows?; a timeline takes at least 2"):
            score_table(model, fresh.iloc[:few])
    with pytest.raises(DataError, match="'s3' is not in"):
        score_table(model, fresh.drop(columns="s3"))
    with pytest.raises(DataError, match=r"column 's3' holds 'x'.*the model needs numbers there"):
        score_table(model, fresh.astype({"s3": object}).assign(s3="x"))
