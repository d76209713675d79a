"""A model at work: derived inputs, failing sensors, estimates, scores and drift, each against a second way to get it."""

import json
import math
import random

import numpy as np
import pytest

from edge_lasso_runtime import Factor, Input, Model, ModelFormatError, Output, Term, dumps, loads, predict
from edge_lasso_runtime.detector import shares, watched
from edge_lasso_runtime.drift import digest, psi, read_digest
from edge_lasso_runtime.readings import Readings
from edge_lasso_runtime.step import interval, start, step
from edge_lasso_runtime.stream import warm_up

NAN = float("nan")


def number(name, column, stream=None, low=-10.0, high=10.0):
    return Input(name, column, 0.5, low, high, stream=stream)


def streaming(policy="extrapolate"):
    inputs = (
        number("a", 0), number("b", 1), number("a.lag2", 2, ("lag", "a", 2)), number("a.difference3", 3, ("difference", "a", 3)),
        number("b.mean4", 4, ("mean", "b", 4)), number("b.ewma5", 5, ("ewma", "b", 5)), number("b.lag1", 6, ("lag", "b", 1)),
    )  # fmt: skip
    terms = tuple(Term(0.5 + 0.25 * i, (Factor(i),)) for i in range(len(inputs)))
    columns = tuple(one.name for one in inputs)
    return loads(dumps(Model(columns, inputs, (Output("y", 0.125, terms),), policy)))


def test_derived_inputs_are_what_their_definition_says():
    model = streaming()
    rng = random.Random(0)
    rows = [[rng.uniform(-9, 9) if rng.random() > 0.2 else None for _ in "ab"] for _ in range(200)]
    state = start(model)
    assert warm_up(model) == 5
    average = None
    for t, row in enumerate(rows):
        result, state = step(model, state, row)
        a, b = ([NAN if one is None else one for one in column] for column in zip(*rows, strict=True))
        lag = a[t - 2] if t >= 2 else NAN
        difference = a[t] - a[t - 3] if t >= 3 else NAN
        recent = [value for value in b[max(0, t - 3) : t + 1] if value == value]
        if b[t] == b[t]:
            average = b[t] if average is None else average + (b[t] - average) * (2.0 / 6)
        x = [a[t], b[t], lag, difference, sum(recent) / len(recent) if recent else NAN, average, b[t - 1] if t else NAN]
        want = predict(model, x)
        if len(recent) <= 1:
            assert result.linear == want.linear
        assert result.linear == pytest.approx(want.linear, rel=1e-14)
        assert result.status == ("degraded" if None in row else "ok" if t >= 5 else "warming up")


def test_state_travels_as_json():
    model = streaming()
    rng = random.Random(1)
    rows = [[rng.uniform(-9, 9), rng.uniform(-9, 9)] for _ in range(40)]
    one, two = start(model), start(model)
    for t, row in enumerate(rows):
        result, one = step(model, one, row)
        again, two = step(model, two, row)
        assert result == again
        if t % 7 == 0:
            fresh = start(model)
            fresh.restore(json.loads(json.dumps(two.to_dict())))
            two = fresh


@pytest.mark.parametrize("change", [{"rows": None}, {"health": None}, {"delays": {"rings": [], "averages": []}}])
def test_a_state_that_does_not_fit_is_refused(change):
    model = streaming()
    with pytest.raises((ValueError, TypeError)):
        start(model).restore({**start(model).to_dict(), **change})


def test_clamped_readings_enter_the_history():
    model = streaming("clamp")
    state = start(model)
    for row in ([50.0, 50.0], [1.0, 1.0], [2.0, 2.0]):
        result, state = step(model, state, row)
    want = predict(model, [2.0, 2.0, 10.0, None, 13.0 / 3.0, 7.0 + (2.0 - 7.0) / 3, 1.0])
    assert result.linear == pytest.approx(want.linear, rel=1e-14)


def test_failing_sensors_are_noticed():
    model = streaming()
    limits = [{"input": "a", "stuck": 3, "jump": 4.0}]
    model = loads(dumps(model.replace(sections={"health/1": {"readings": limits}})))
    state = start(model)
    seen = []
    for value in (1.0, 1.0, 1.0, 1.0, 6.0, 7.0, None, 7.5, 20.0, float("inf"), "text", 9.0):
        result, state = step(model, state, {"a": value, "b": 0.0})
        seen.append(result.faults.get("a", ""))
    assert seen == ["", "", "", "stuck", "jump", "", "missing", "", "out of range", "missing", "missing", "jump"]
    assert state.health.counts[0] == [3, 1, 2, 1]


def correlated(k=5, n=4000, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ rng.normal(size=(2, k)) + 0.3 * rng.normal(size=(n, k)) + np.arange(k)
    w = rng.normal(size=k)
    return x, w, x @ w + 0.5 * rng.normal(size=n)


def estimating():
    x, w, y = correlated()
    inputs = tuple(
        Input(f"x{i}", i, float(x[:, i].mean()), float(x[:, i].min()), float(x[:, i].max())) for i in range(5)
    )
    w, *_ = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)
    output = Output("y", float(w[-1]), tuple(Term(float(w[i]), (Factor(i),)) for i in range(5)))
    inverse = np.linalg.inv(np.cov(x.T, bias=True))
    section = {
        "mean": x.mean(axis=0).tolist(),
        "inverse": inverse[np.tril_indices(5)].tolist(),
        "residual": [float(np.mean((y - x @ w[:-1] - w[-1]) ** 2))],
    }
    model = Model(tuple(one.name for one in inputs), inputs, (output,), sections={"estimate/1": section})
    return loads(dumps(model)), x, y


@pytest.mark.parametrize("gone", [(0,), (3,), (1, 4), (0, 2, 3), (0, 1, 2, 4), (0, 1, 2, 3, 4)])
def test_estimating_equals_refitting_without_the_missing_inputs(gone):
    model, x, y = estimating()
    kept = [i for i in range(5) if i not in gone]
    design = np.c_[x[:, kept], np.ones(len(x))]
    without, *_ = np.linalg.lstsq(design, y, rcond=None)
    errors = []
    state = start(model)
    for row, truth, want in zip(x[:200], y[:200], (design @ without)[:200], strict=True):
        result, state = step(model, state, [None if i in gone else value for i, value in enumerate(row)])
        assert result.values[0] == pytest.approx(want, rel=1e-9)
        assert set(result.faults) >= {f"x{i}" for i in gone}
        errors.append(truth - want)
    residual = model.sections["estimate/1"]["residual"][0]
    refitted = np.mean((y - design @ without) ** 2)
    assert result.widths == pytest.approx([math.sqrt(refitted / residual)], rel=1e-9)


def test_intervals_widen_with_the_estimate():
    model, x, _ = estimating()
    section = {"level": 0.9, "low": [-1.0], "high": [2.0], "rows": {"calibration": 10, "check": 10}}
    model = model.replace(sections={**model.sections, "interval/1": section})
    whole, _ = step(model, start(model), list(x[0]))
    assert interval(model, whole) == [(whole.values[0] - 1.0, whole.values[0] + 2.0)]
    part, _ = step(model, start(model), [None, *x[0][1:]])
    low, high = interval(model, part)[0]
    assert high - low == pytest.approx(3.0 * part.widths[0])
    assert part.widths[0] > 1.0


def detecting(smoothing=1.0, track=0, fast=0.0, warm_up=0, **more):
    names = ("a", "b", "c")
    inputs = tuple(number(name, i) for i, name in enumerate(names))
    outputs = tuple(Output(name, 0.0, (Term(0.5, (Factor((i + 1) % 3),)),)) for i, name in enumerate(names))
    outputs += (Output("a.usual", 1.5, ()),)
    section = {
        "watched": [
            {"reading": name, "centre": 0.1, "scale": 2.0, "slow": 0.5, "weight": weight}
            for name, weight in zip("abca", (1.0, 2.0, 3.0, 0.5), strict=True)
        ],
        "smoothing": smoothing, "clip": 6.0, "track": track, "fast": fast, "warm_up": warm_up,
        "threshold": {"score": 2.0, "row_rate": 0.01, "hold": 2}, **more,
    }  # fmt: skip
    return loads(dumps(Model(names, inputs, outputs, sections={"detector/1": section})))


@pytest.mark.parametrize("warm_up", [0, 10])
@pytest.mark.parametrize("fast", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("track", [0, 4, 9])
@pytest.mark.parametrize("smoothing", [1.0, 0.3, 0.05])
def test_scores_are_what_their_formula_says(smoothing, track, fast, warm_up):
    model = detecting(smoothing, track, fast, warm_up)
    rows = np.random.default_rng(2).normal(size=(60, 3)) * 4.0
    rows[30:] += 5.0
    r = (np.c_[rows - 0.5 * np.roll(rows, -1, axis=1), rows[:, 0] - 1.5] - 0.1) / 2.0
    weight = np.array([1.0, 2.0, 3.0, 0.5])
    z, b, e = np.zeros(4), np.zeros(4), np.ones(4)
    state, quick = start(model), 0
    for t, row in enumerate(rows):
        result, state = step(model, state, list(row))
        x = r[t]
        if track:
            x = r[t] - b
            b = b + np.clip(x, -3.0, 3.0) / 2.0 ** (3 if t < warm_up else track)
        x = np.clip(x, -6.0, 6.0)
        z = z + smoothing * (x - z)
        e = e + smoothing * ((x**2 + (z / 0.5) ** 2) / 2 - e if smoothing < 1.0 else x**2 - e)
        slow, sudden = (e * weight) / weight.sum(), fast * (x**2 * weight) / weight.sum()
        parts = sudden if sudden.sum() > slow.sum() else slow
        quick += sudden.sum() > slow.sum()
        assert result.score == pytest.approx(parts.sum(), rel=1e-9)
        assert result.parts == pytest.approx(list(parts), rel=1e-9)
        assert math.fsum(result.parts) == pytest.approx(result.score, rel=1e-12)
        assert result.alarm == (result.score > 2.0 and t >= warm_up)
        named = dict(shares(result.parts, result.score, watched(model)))
        assert sum(named.values()) == pytest.approx(1.0)
        assert named["a"] == pytest.approx((parts[0] + parts[3]) / parts.sum())
        assert list(named.values()) == sorted(named.values(), reverse=True)
    assert quick == 0 if fast == 0.0 else quick > 0 or smoothing > 0.9 or fast < 1.0


def test_a_missing_reading_leaves_its_sensor_out_of_the_score():
    model = detecting()
    result, _ = step(model, start(model), [3.0, None, 5.0])
    assert result.parts[1] == 0.0
    assert result.status == "degraded"
    assert result.score > 0.0


def test_alarms_close_together_are_one():
    model = detecting()
    state = start(model)
    onsets = []
    for value in (0.0, 9.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0, 9.0):
        result, state = step(model, state, [value, 0.0, 0.0])
        onsets.append(result.onset)
    assert onsets == [False, True, False, False, False, False, False, True, False]
    assert (state.detector.onsets, state.detector.alarms) == (2, 4)


def test_the_online_adjustment_keeps_its_identity():
    """Angelopoulos et al. (2023): the mean of hits less the rate is ln(theta_T / theta_0) / (eta T), for any data."""
    model = detecting(adjust={"eta": 0.05, "floor": 1e-6, "cap": 1e6, "freeze": 1000, "thaw": 1000})
    rng = np.random.default_rng(3)
    state, hits = start(model), 0
    for row in rng.standard_t(3, size=(3000, 3)) * 3.0:
        result, state = step(model, state, list(row))
        hits += result.alarm
    assert hits / 3000 - 0.01 == pytest.approx(math.log(state.detector.threshold / 2.0) / (0.05 * 3000), abs=1e-12)


def drifting():
    model = detecting()
    edges = [-1.0, 0.0, 1.0]
    section = {
        "readings": [{"input": name, "edges": edges, "parts": [0.25] * 4, "missing": 0.0} for name in "abc"],
        "score": {"edges": [1.0, 2.0], "parts": [0.5, 0.25, 0.25]},
        "page_hinkley": {"mean": 1.0, "deviation": 1.0, "allowance": 0.5, "limit": 50.0},
    }
    return loads(dumps(model.replace(sections={**model.sections, "drift/1": section})))


def test_a_digest_tells_which_reading_moved():
    model = drifting()
    state = start(model)
    rng = np.random.default_rng(4)
    for t in range(4000):
        row = np.array([*(rng.uniform(-2, 2, 2)), rng.uniform(0, 2)])
        _, state = step(model, state, [None if t % 10 == 0 else row[0], row[1], row[2]])
    found = read_digest(model, digest(model, state.drift, state.detector.onsets))
    assert found["rows"] == 4000
    (a, gone), (b, none), (c, _) = found["readings"].values()
    assert gone == pytest.approx(0.1, abs=1 / 255)
    assert a < 0.05
    assert b < 0.05
    assert none == 0.0
    assert c == pytest.approx(min(psi([0.25] * 4, state.drift.counts[2][:-1]), 255 / 40), abs=0.02)
    assert c > 1.0
    assert found["onsets"] == state.detector.onsets
    with pytest.raises(ValueError, match="no digest"):
        read_digest(model, b"ed2")
    with pytest.raises(ValueError, match="of another model"):
        read_digest(
            detecting(track=4).replace(
                sections={**model.sections, "x-other": 1, "detector/1": detecting(track=4).sections["detector/1"]}
            ),
            digest(model, state.drift),
        )


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("inputs", 2, "stream", "kind"), "median", "inputs[2].stream.kind is 'median'; allowed are lag"),
        (("inputs", 2, "stream", "length"), 0, "inputs[2].stream.length is 0"),
        (("inputs", 2, "stream", "of"), "b.mean4", "inputs[2].stream.of is 'b.mean4'; it must be an input of numbers"),
        (("sections", "health/1"), {"readings": [{"input": "z", "stuck": 1, "jump": 1.0}]}, "it must be a reading of numbers"),
        (("sections", "health/1"), {"readings": [{"input": "a", "stuck": -1, "jump": 1.0}]}, "stuck is -1"),
        (("sections", "estimate/1"), {"mean": [0.0] * 7, "inverse": [0.0] * 28, "residual": [1.0]}, "not positive definite"),
        (("sections", "detector/1"), {}, "watched is missing"),
        (("sections", "drift/1"), {"readings": [{"input": "a", "edges": [1.0, 1.0], "parts": [0.5, 0.5, 0.0], "missing": 0}]}, "rising"),
    ],
)  # fmt: skip
def test_bad_files_are_refused_by_field(where, value, message):
    data = json.loads(dumps(streaming()))
    data.setdefault("sections", {})
    at = data
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    with pytest.raises(ModelFormatError) as error:
        loads(json.dumps(data))
    assert message in str(error.value)


def test_an_ordinary_model_counts_its_output_and_follows_its_error():
    inputs = (number("a", 0), number("a.lag1", 1, ("lag", "a", 1)))
    model = Model(("a", "a.lag1"), inputs, (Output("y", 0.0, (Term(1.0, (Factor(1),)),)),))
    section = {
        "readings": [],
        "score": {"edges": [0.0, 2.0], "parts": [0.25, 0.5, 0.25]},
        "page_hinkley": {"mean": 0.5, "deviation": 0.25, "allowance": 0.5, "limit": 50.0},
    }
    state = start(model := loads(dumps(model.replace(sections={"drift/1": section}))))
    for row in ({"a": -1.0, "y": 5.0}, {"a": 1.0, "y": None}, {"a": 3.0, "y": 1.75}, {"a": 0.0, "y": "?"}, [0.0]):
        _, state = step(model, state, row)
    assert state.drift.rows == 5
    assert state.drift.score == [2, 1, 1]  # the row of the warm-up does not count
    assert state.drift.level == pytest.approx((0.75 - 0.5) / 0.25 - 0.5)
    assert digest(model, state.drift)[3] == 1


def test_a_detector_never_uses_its_own_present():
    data = json.loads(dumps(detecting()))
    data["outputs"][0]["terms"][0]["factors"] = [0]
    with pytest.raises(ModelFormatError, match="predicts 'a' from its own present"):
        loads(json.dumps(data))


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("track", [0, 6])
def test_the_short_way_of_a_whole_row_is_the_long_one_to_the_bit(track, missing):
    model = drifting()
    section = {**model.sections["detector/1"], "track": track}
    model = model.replace(sections={**model.sections, "detector/1": section})
    short, long = start(model), start(model)
    long.sums, long._numeric = None, False
    rng = random.Random(7)
    for _ in range(400):
        row = [None if rng.random() < missing else rng.gauss(0.0, 6.0) for _ in "abc"]
        assert repr(step(model, short, row)[0]) == repr(step(model, long, row)[0])  # to the bit, NaN included
        assert short.to_dict() == long.to_dict()


def test_nothing_looks_back_across_a_gap():
    model = streaming()
    state = start(model)
    for t in range(8):
        result, _ = step(model, state, [float(t), float(t)])
    assert result.status == "ok"
    state.gap(3)
    result, _ = step(model, state, [9.0, 9.0])
    want = predict(model, [9.0, 9.0, None, None, 9.0, 9.0, None])
    assert result.linear == want.linear
    assert (result.status, result.faults) == ("ok", {})
    state.gap(100_000)
    assert step(model, state, [9.0, 9.0])[0].status == "warming up"
    assert state.delays.averages == [9.0]  # a moving average begins anew, as in training


def test_a_prediction_that_reads_a_default_says_nothing():
    """Sensor a is predicted from b: where b is missing and not estimated, the evidence on a waits."""
    model = detecting(smoothing=0.5)
    state = start(model)
    _, state = step(model, state, [3.0, 1.0, 5.0])
    before = list(state.detector.evidence)
    result, state = step(model, state, [9.0, None, 5.0])
    assert state.detector.evidence[:2] == before[:2]
    assert result.parts[:2] == [0.0, 0.0]
    assert state.detector.evidence[2] != before[2]
    assert result.parts[2] + result.parts[3] == result.score > 0.0


def test_readings_are_counted_in_the_bin_that_they_belong_to():
    model = drifting()
    state = start(model)
    values = [-9.0, -1.0, -0.5, 0.0, math.nextafter(0.0, 1.0), 1.0, 2.0, None] * 30
    for value in values:
        step(model, state, [value, 0.5, None])
    below, to_zero, to_one, above, missing = state.drift.counts[0]
    assert (below, to_zero, to_one, above, missing) == (60, 60, 60, 30, 30)
    assert state.drift.counts[1:] == [[0, 0, 240, 0, 0], [0, 0, 0, 0, 240]]
    assert state.to_dict()["drift"]["counts"] == state.drift.counts


@pytest.mark.parametrize("fast", [0.0, 1.0])
def test_an_alarm_goes_on_while_nothing_is_known(fast):
    model = detecting(smoothing=0.5, fast=fast)
    state = start(model)
    for row in [[0.5, 0.5, 0.5]] * 5 + [[9.0, -9.0, 9.0]] * 3:
        result, state = step(model, state, row)
    assert result.alarm
    for _ in range(20):
        away, state = step(model, state, [None, None, None])
        assert (away.alarm, away.onset, away.status) == (True, False, "degraded")
        if not fast:  # what was sudden is over
            assert away.score == pytest.approx(result.score)
    again, state = step(model, state, [9.0, -9.0, 9.0])
    assert (again.alarm, again.onset, state.detector.onsets) == (True, False, 1)


def test_what_is_missing_is_no_category_whatever_it_is_called():
    inputs = (number("a", 0), Input("kind", 1, None, None, None, categories=("nan", "None")))
    terms = (Term(1.0, (Factor(0),)), Term(5.0, (Factor(1, 0),)), Term(7.0, (Factor(1, 1),)))
    model = loads(dumps(Model(("a", "kind"), inputs, (Output("y", 0.0, terms),))))
    for kind in (None, NAN, math.nan):
        result, _ = step(model, start(model), {"a": 1.0, "kind": kind})
        assert (result.linear, result.faults) == ([1.0], {"kind": "missing"})
    assert step(model, start(model), {"a": 1.0, "kind": "nan"})[0].linear == [6.0]
    found = Readings(model, None, print)
    assert found.read(b'{"a": 1, "kind": null}') == ([1.0, -1], None)
    assert found.read(b'{"a": 1, "kind": "None"}') == ([1.0, 1], None)
