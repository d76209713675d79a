"""Detectors: the vectorized scores are the board's, nothing of the present leaks, thresholds come from rows held out."""

import json
import math

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from edge_lasso import ResidualDetector
from edge_lasso.detecting.calibrated import ChartOptions
from edge_lasso.detecting.fit_detector import DetectorOptions, fit_detector
from edge_lasso.detecting.noticed import rows_of, smallest_biases
from edge_lasso.detecting.sensor_models import allocate
from edge_lasso.errors import DataError
from edge_lasso.predicting.scores import ewma, tracked
from edge_lasso.statistics.plans import blocked
from edge_lasso_runtime import dumps, loads
from edge_lasso_runtime.step import start, step


def plant(n, seed=0, sensors=8, phi=0.7):
    """Sensors driven by three slow sources, each with noise of its own."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).normal(size=(3, sensors))
    sources = np.zeros((n, 3))
    noise = rng.normal(size=(n, 3))
    for t in range(1, n):
        sources[t] = phi * sources[t - 1] + noise[t]
    return sources @ mix + 0.3 * rng.normal(size=(n, sensors)) + np.arange(sensors)


@parametrize_with_checks([ResidualDetector()])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lags": 2, "smoothing": 0.1},
        {"lags": 1, "own_past": True, "smoothing": 0.2, "track": 4},
        {"track": 11},
        {"smoothing": 0.05, "track": None},
    ],
)
def test_many_rows_score_as_one_after_another(options):
    detector = ResidualDetector(max_coefs=12, **options).fit(plant(1500))
    model = loads(dumps(detector.model_))
    fresh = plant(300, seed=1)
    fresh[40:60, 2] += 4.0
    fresh[100, 3] = np.nan  # read by nobody below where inputs are estimated; its own evidence waits
    readers = {f.input for o in model.outputs for t in o.terms for f in t.factors}
    names = [one.name for one in model.inputs]
    if any(names[i].split(".")[0] == "x3" for i in readers):
        fresh[100, 3] = plant(300, seed=1)[100, 3]
    state = start(model)
    want, parts = detector._scores(fresh)
    for t, row in enumerate(fresh):
        result, state = step(model, state, {f"x{j}": value for j, value in enumerate(row)})
        assert result.score == pytest.approx(want[t], rel=1e-9, abs=1e-12)
        assert result.parts == pytest.approx(list(parts[t]), rel=1e-9, abs=1e-12)
        assert sum(result.parts) == pytest.approx(result.score)
        if t >= model.sections["detector/1"]["warm_up"]:
            assert (
                result.alarm == (detector.predict(fresh)[t] < 0) or abs(want[t] / detector.threshold_.score - 1) < 1e-9
            )
    assert detector.attribute(fresh)[50].argmax() == 2 or want[50] > want[30]


def test_nobody_reads_its_own_present_and_the_budget_holds():
    for own_past in (False, True):
        model = ResidualDetector(max_coefs=20, lags=2, own_past=own_past).fit(plant(800)).model_
        own = set()
        for output in model.outputs:
            for term in output.terms:
                source = model.inputs[term.factors[0].input]
                assert source.name != output.name
                if source.stream is not None and source.stream[1] == output.name:
                    own.add(output.name)
        assert sum(len(output.terms) for output in model.outputs) <= 20
        assert bool(own) == own_past


def test_a_faulty_sensor_is_named():
    detector = ResidualDetector(lags=1, smoothing=0.2).fit(plant(2000))
    fresh = plant(400, seed=3)
    hits = 0
    for sensor in range(8):
        faulty = fresh.copy()
        faulty[200:, sensor] += 2.0
        parts = detector.attribute(faulty)[260:].mean(axis=0)
        hits += int(parts.argmax() == sensor)
        assert (detector.predict(faulty)[260:] == -1).all()
    assert hits == 8


def test_thresholds_come_from_rows_held_out():
    """Held-out residuals are larger than those in sample, so the threshold must not come from the latter."""
    rows = plant(120, sensors=8)
    detector = ResidualDetector(lags=3, own_past=True, max_coefs=60, cv=5).fit(rows)
    in_sample = -detector.score_samples(rows)
    assert detector.threshold_.score > np.quantile(in_sample, 0.99)


@pytest.mark.parametrize(("n", "k", "gap"), [(500, 5, 20), (101, 3, 7), (40, 2, 0), (60, 4, 7)])
def test_blocks_with_a_gap(n, k, gap):
    plan = blocked(n, k, gap)
    held = np.zeros(n, dtype=int)
    rows = np.arange(n)
    for i, (train, test) in enumerate(plan.splits):
        part = plan.part_of(rows)
        away, here = np.isin(part, train), np.isin(part, test)
        held += here
        first, last = i * n // k, (i + 1) * n // k
        assert (here == ((rows >= first) & (rows < last))).all()
        assert (away == ((rows < first - gap) | (rows >= last + gap))).all()
    assert (held == 1).all()


def test_a_budget_goes_where_it_helps_most():
    errors = [np.array([1.0, 0.5, 0.49]), np.array([1.0, 0.9, 0.1]), np.array([1.0])]
    sizes = [np.array([0, 1, 2]), np.array([0, 1, 2]), np.array([0])]
    assert allocate(errors, sizes, 2) == [0, 2, 0]
    assert allocate(errors, sizes, 3) == [1, 2, 0]
    assert allocate(errors, sizes, 9) == [2, 2, 0]
    assert allocate(errors, sizes, 1) == [1, 0, 0]


def test_smoothing_and_levels_leave_gaps_out():
    x = np.array([[1.0], [np.nan], [3.0], [np.nan], [np.nan], [2.0]])
    assert ewma(x, 0.5, 1.0)[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    rest, level = tracked(x, 4, np.zeros(1), settling=1)
    assert rest[[0, 2, 5], 0].tolist() == [1.0, 3.0 - 0.125, 2.0 - (0.125 + 2.875 / 16)]
    assert math.isnan(rest[1, 0])
    assert level[0] == 0.125 + 2.875 / 16 + (2.0 - (0.125 + 2.875 / 16)) / 16


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0, 30.0])
def test_levels_of_many_rows_are_those_of_one_after_another(scale):
    rng = np.random.default_rng(int(scale))
    rows = scale * rng.standard_t(2, size=(3000, 2)) + np.repeat(rng.normal(size=(30, 2)) * 6.0, 100, axis=0)
    rows[rng.random(rows.shape) < 0.05] = np.nan
    rest, level = tracked(rows, 5, np.array([0.5, -4.0]), settling=40)
    b = np.array([0.5, -4.0])
    for t, row in enumerate(rows):
        r = row - b
        assert rest[t] == pytest.approx(r, abs=1e-9, nan_ok=True)
        b = b + np.nan_to_num(np.clip(r, -3.0, 3.0)) / 2.0 ** (3 if t < 40 else 5)
    assert level == pytest.approx(b)


def test_a_level_follows_a_drift_and_a_sudden_fault_still_counts():
    rows = plant(4000)
    rows[:, 2] += np.linspace(0.0, 8.0, 4000)
    fixed, follows = (ResidualDetector(smoothing=0.05, track=track).fit(rows) for track in (0, None))
    assert follows.model_.sections["detector/1"]["track"] == 8
    assert ResidualDetector(smoothing=0.05, track=None).fit(plant(4000)).model_.sections["detector/1"]["track"] == 0
    later = plant(3000, seed=2)
    later[:, 2] += 8.0 + np.linspace(0.0, 6.0, 3000)
    faulty = later.copy()
    faulty[2500:, 5] += 3.0
    assert (follows.predict(later)[1000:] < 0).mean() < 0.01
    assert (fixed.predict(later)[1000:] < 0).mean() > 0.05
    assert (follows.predict(faulty)[2520:2600] < 0).all()
    assert follows.attribute(faulty)[2530].argmax() == 5


def test_what_moves_all_sensors_together_is_noticed():
    """Models of each from the others agree with it; their usual levels do not."""
    rows = plant(3000)
    detector, blind = (fit_levels(rows, level) for level in (True, False))
    later = plant(600, seed=4)
    mix = np.random.default_rng(99).normal(size=(3, 8))
    later[300:] += 6.0 * mix[0]
    flags = [(-scores_of(model, later) > 0).mean() for model in (detector, blind)]
    assert flags[0] > 0.9 * 300 / 600
    assert flags[0] > flags[1]


def test_the_smallest_bias_that_is_said_is_what_injection_finds():
    rows = plant(3000)
    model = fit_levels(rows, True)
    within = rows_of(model.sections["detector/1"])
    assert within == 20
    biases = smallest_biases(model, within)
    limit = model.sections["detector/1"]["threshold"]["score"]
    calm = plant(1500, seed=6)
    for j in (0, 4):
        share = []
        for times in (0.5, 1.5):
            hits = []
            for at in range(200, 1400, 100):
                faulty = calm[at - 100 : at + within].copy()
                faulty[100:, j] += times * biases[f"x{j}"]
                hits.append((limit - scores_of(model, faulty))[100:].max() > limit)
            share.append(np.mean(hits))
        assert share[0] < 0.2
        assert share[1] > 0.8


def fit_levels(rows, level):
    options = DetectorOptions(level=level, chart=ChartOptions(smoothing=0.05))
    names = [f"x{j}" for j in range(rows.shape[1])]
    return fit_detector(lambda: [rows], len(rows), names, names, {}, options).model


def scores_of(model, rows):
    """Threshold less score, per row."""
    state, result = start(model), []
    for row in rows.tolist():
        answer, _ = step(model, state, dict(zip([f"x{j}" for j in range(8)], row, strict=True)))
        result.append(model.sections["detector/1"]["threshold"]["score"] - answer.score)
    return np.array(result)


def test_constant_sensors_are_not_watched():
    rows = plant(400)
    rows[:, 5] = 7.0
    model = ResidualDetector(max_coefs=10).fit(rows).model_
    assert [output.name for output in model.outputs if ".usual" not in output.name] == [
        "x0",
        "x1",
        "x2",
        "x3",
        "x4",
        "x6",
        "x7",
    ]
    with pytest.raises(DataError, match="no sensor to watch varies"):
        ResidualDetector().fit(np.ones((50, 3)))


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (plant(300)[:, :1], {}, "'x0' is the only sensor"),
        (plant(300), {"alarm_rate": 1e-4}, "300 normal rows are too few for an alarm rate of 0.0001 of the rows"),
        (plant(100), {"smoothing": 0.05}, "100 rows are too few for a chart that takes 60 rows"),
        (plant(300), {"track": 2}, "track is 2; levels follow within 2^4 to 2^11 rows"),
        (plant(300), {"alarm_rate": 2.0}, "alarm rate 2.0"),
        (plant(300), {"cv": 1}, "cv is 1"),
        (plant(300), {"lags": -1}, "lags is -1"),
    ],
)
def test_bad_input(rows, options, message):
    with pytest.raises(DataError) as error:
        ResidualDetector(**options).fit(rows)
    assert message in str(error.value)


def test_one_sensor_with_its_own_past():
    model = ResidualDetector(lags=2, own_past=True).fit(plant(600)[:, :1]).model_
    assert {one.stream for one in model.inputs if one.stream} <= {("lag", "x0", 1), ("lag", "x0", 2)}
    assert model.outputs[0].terms


def test_gaps_in_training_rows():
    rows = plant(1500)
    holes = np.random.default_rng(5).random(rows.shape) < 0.05
    rows[holes] = np.nan
    detector = ResidualDetector(max_coefs=16, lags=1).fit(rows)
    scores = -detector.score_samples(rows)
    assert np.isfinite(scores).all()
    assert json.loads(dumps(detector.model_))["sections"]["detector/1"]["watched"][0]["scale"] > 0.0
