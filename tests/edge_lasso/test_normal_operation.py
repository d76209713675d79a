"""What a table of normal operation may be like: drifting, with faults in it, wide, sampled unevenly; what is said then."""

import math
import re

import numpy as np
import pandas
import pytest
from scipy.signal import lfilter

from edge_lasso.detecting.calibrated import ChartOptions
from edge_lasso.detecting.fit_detector import DetectorOptions
from edge_lasso.detecting.following import most_in_alarm
from edge_lasso.detecting.thresholds import LONGEST_ROWS, correlation_time, held, parse_rate
from edge_lasso.detecting.train_detector import train_detector
from edge_lasso.errors import DataError
from edge_lasso.reporting.show_detector import alarm_lines
from edge_lasso.training.options import Training
from edge_lasso_runtime.detector import KEY, Detector
from edge_lasso_runtime.step import start, step

NAMES = [f"s{j}" for j in range(5)]
BY_TIME = Training.of(time="time")


def plant(n, seed=0, seconds=60):
    """Five sensors that two slow sources drive."""
    rng = np.random.default_rng(seed)
    sources = lfilter([1.0], [1.0, -0.7], rng.normal(size=(n, 2)), axis=0)
    X = sources @ np.random.default_rng(9).normal(size=(2, 5)) + 0.3 * rng.normal(size=(n, 5))
    time = pandas.date_range("2024-01-01", periods=n, freq=f"{seconds}s").strftime("%Y-%m-%dT%H:%M:%S")
    return pandas.DataFrame(X.round(4), columns=NAMES).assign(time=time)


def worse_and_worse(n=6000):
    """Sensor s1 is hit by more and more sudden errors: a quarter of the rows in the end."""
    table, rng = plant(n), np.random.default_rng(5)
    hit = rng.random(n) < 0.25 * np.linspace(0.0, 1.0, n) ** 5
    return table.assign(s1=table["s1"] + np.where(hit, rng.choice([-3.0, 3.0], n), 0.0))


def wandering(n, first=0, seed=0):
    """The level of s1 rises."""
    table = plant(n, seed)
    return table.assign(s1=table["s1"] + (first + np.arange(n)) * 6.0 / 4000.0)


def seasonal(n, period, first=0, seed=0):
    """A season that moves all sensors together."""
    table = plant(n, seed)
    table[NAMES] += 3.0 * np.sin(2.0 * np.pi * (first + np.arange(n)) / period)[:, None]
    return table


def options(rate=None, **chart):
    return DetectorOptions(rate=rate and parse_rate(rate), chart=ChartOptions(**chart))


def alarms(model, table):
    """Which rows are in alarm on a board that has just started."""
    state, result = start(model), []
    for row in table[NAMES].to_dict("records"):
        answer, state = step(model, state, row)
        result.append(answer.alarm)
    return np.array(result, dtype=bool)


@pytest.fixture(scope="module")
def following():
    """Trained on rows that drift, for fewer alarms than they allow of a threshold that stays."""
    return train_detector(worse_and_worse(), training=BY_TIME, options=options("1/week", smoothing=1.0))


def test_where_normal_rows_drift_the_threshold_follows_and_says_so(following):
    """Too few rows for one alarm a week that stays: as they drift, it follows by itself, and the sensor is named."""
    section = following.model.sections[KEY]
    limit, adjust = section["threshold"], section["adjust"]
    assert (limit["kind"], limit["per"], limit["rate"]) == ("follows", "week", 1.0)
    assert 0.0 < limit["row_rate"] < 0.01
    (note,) = [line for line in following.notes if line.startswith("normal rows drift")]
    assert "its part of the highest scores, most by s1, s" in note
    assert f"a fault that lasts becomes usual after {adjust['thaw']:,} rows" in note
    (line,) = alarm_lines(following.model)
    assert f"it follows the scores, so that {limit['row_rate']:.3g} of the rows are in alarm; over " in line
    assert "and those in which it stays (6,000 rows held out, 0 alarms among them)" in line
    with pytest.raises(DataError, match=r"too few for an alarm rate of 1 per week: .* \(--adjust 0\.05\)$"):
        train_detector(worse_and_worse(), training=BY_TIME, options=options("1/week", smoothing=1.0, adjust=0.0))
    steady = train_detector(plant(6000), training=BY_TIME, options=options("0.01", smoothing=1.0))
    assert steady.model.sections[KEY]["threshold"]["kind"] == "rate"
    assert "adjust" not in steady.model.sections[KEY]
    assert steady.notes == []


@pytest.mark.parametrize("growth", [-1e-4, 0.0, 1e-4])
def test_a_threshold_that_follows_keeps_its_statement_where_scores_drift(following, growth):
    """Rows in alarm, but those in which it stays, are at most what `most_in_alarm` says, up to its upper end."""
    section, detector = following.model.sections[KEY], Detector(following.model)
    rng, rows, moving = np.random.default_rng(1), 20_000, 0
    for t in range(rows):
        before = detector.threshold
        hit, _ = detector.decide(float(rng.exponential()) * math.exp(growth * t))
        moving += hit and detector.threshold > before
        assert detector.threshold < section["adjust"]["cap"] * section["threshold"]["score"]
    assert moving > 0
    assert moving / rows <= most_in_alarm(section, rows)


@pytest.mark.parametrize(("seconds", "most"), [(60.0, 60), (600.0, 6), (7200.0, 3), (None, LONGEST_ROWS)])
def test_alarms_further_apart_than_an_hour_are_two(seconds, most):
    slow = lfilter([1.0], [1.0, -0.9995], np.random.default_rng(0).normal(size=40_000)) ** 2
    assert correlation_time(slow) > 5 * most
    assert held(slow, seconds) == most


@pytest.mark.parametrize(
    ("chart", "rows", "cure"),
    [({}, 800, 64), ({"track": 0}, 3000, 256), ({"track": 0, "adjust": 0.0}, 3000, 256), ({}, 3000, 0), ({"track": 6}, 800, 0)],
)  # fmt: skip
def test_a_refusal_names_the_level_that_drifts_and_what_follows_it(chart, rows, cure):
    table = plant(rows)
    table["s1"] += np.linspace(0.0, 6.0, rows)
    with pytest.raises(DataError) as error:
        train_detector(table, training=BY_TIME, options=options("0.001", **chart))
    said = str(error.value)
    assert "give more normal rows, allow more alarms, or let the threshold follow (--adjust 0.05)" in said
    assert "\n" not in said
    remedy = f"; the level of 's1' drifts: let levels be followed, too (--track {cure})"
    assert said.endswith(remedy) if cure else "--track" not in said


@pytest.mark.parametrize("lasting", [1, 30])
def test_faults_in_a_few_percent_of_normal_rows_are_found_all_the_same(lasting):
    """As sudden errors and as lasting ones: the same fault later is found, and normal rows raise no alarm."""
    table, rng = plant(3000, seed=3), np.random.default_rng(2)
    hit = np.zeros(len(table), dtype=bool)
    for first in rng.choice(len(table) - lasting, int(0.03 * len(table) / lasting), replace=False):
        hit[first : first + lasting] = True
    assert 0.02 < hit.mean() < 0.04
    model = train_detector(table.assign(s1=table["s1"] + 4.0 * hit), training=BY_TIME).model
    later = plant(600, seed=8)
    later.loc[400:, "s1"] += 4.0
    result = alarms(model, later)
    assert not result[:400].any()
    assert result[400 + 60 :].all()


def test_more_sensors_than_rows_to_fit_them_on():
    """Sixty sensors on eighty rows, of which four fifths are fitted on: few coefficients, and honest limits."""
    rng = np.random.default_rng(1)
    sources = rng.normal(size=(80, 4))
    table = pandas.DataFrame(
        (sources @ rng.normal(size=(4, 60)) + 0.3 * rng.normal(size=(80, 60))).round(4),
        columns=[f"w{j}" for j in range(60)],
    )
    result = train_detector(table, options=options(smoothing=0.2))
    assert len(result.model.sections[KEY]["watched"]) >= 60
    assert all(len(output.terms) < 60 for output in result.model.outputs)
    assert 0.0 < result.model.sections[KEY]["threshold"]["high"] <= 0.5
    with pytest.raises(DataError, match=r"65 normal rows are too few for an alarm rate of 0\.01 of the rows: an upper"):
        train_detector(table, options=options("0.01", smoothing=0.2))


@pytest.mark.parametrize("period", [400, 1440])
def test_seasons_that_come_again_and_one_that_the_table_has_not_seen_to_its_end(period):
    """The rest of a season lies where the first part was: no alarms by it."""
    rows = 3000 if period == 400 else 900
    model = train_detector(seasonal(rows, period), training=BY_TIME).model
    assert alarms(model, seasonal(540, period, rows, seed=7)).mean() < 0.02


def test_the_first_rows_after_a_restart_find_the_level_again():
    """A level that has wandered far from the training's: a board without a memory finds it before it may alarm."""
    model = train_detector(wandering(4000), training=BY_TIME).model
    section = model.sections[KEY]
    assert section["track"] > 0
    later = wandering(1000, first=4000, seed=7)
    assert not alarms(model, later).any()
    later.loc[500:, "s1"] += 4.0
    result = alarms(model, later)
    assert result[505:515].all()
    assert not result[:500].any()


def paced(n, later):
    """Every minute in the first half, every `later` minutes after it."""
    minutes = np.cumsum(np.where(np.arange(n) < n // 2, 1, later))
    return plant(n).assign(time=pandas.Timestamp("2026-01-01") + pandas.to_timedelta(minutes, unit="min"))


def test_rows_that_change_their_pace_are_named_and_no_rate_per_time_is_promised():
    said = r"rows come every 60 seconds in part of the table and every 300 in another, .* or --every 300s"
    notes = train_detector(paced(2000, 5), training=BY_TIME, options=options()).notes
    assert any(re.search(said, note) for note in notes)
    with pytest.raises(DataError, match=rf"^an alarm rate of 5 per day cannot be promised: {said}$"):
        train_detector(paced(2000, 5), training=BY_TIME, options=options("5/day"))
    steady = train_detector(paced(2000, 1), training=BY_TIME, options=options()).notes
    assert not any("rows come every" in note for note in steady)
