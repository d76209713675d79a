"""A detector in integers: what a row means, what a section must be, and that nothing of a quantized one reaches 2^30."""

import copy
import operator
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads
from edge_lasso_runtime.errors import ModelFormatError
from edge_lasso_runtime.fixed_detector import KEY, move, readings_q, start_q, step_q
from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.stream import readings

SENSORS = 3
PLAIN = {"detector": True, "categories": False}


class Small(int):
    """An integer that refuses results of 2^30 and more: MicroPython's small ones on 32 bits."""

    def _checked(name):
        def compute(self, other):
            result = getattr(int, name)(self, other)
            assert -(2**30) <= result < 2**30, (int(self), name, int(other))
            return Small(result)

        return compute

    for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "lshift", "rlshift", "rshift", "and"):
        locals()[f"__{_name}__"] = _checked(f"__{_name}__")

    def __neg__(self):
        return Small(operator.neg(int(self)))

    def __abs__(self):
        return Small(abs(int(self)))


def small(data):
    """The same data with `Small` for whole numbers."""
    if isinstance(data, dict):
        return {key: small(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(map(small, data))
    return Small(data) if type(data) is int else data


def plant(slow=0.25, **changes):
    """Three sensors, each predicted from the next one and an earlier reading of it; quantized."""
    inputs = [Input(f"s{i}", i, 20.0, 0.0, 40.0) for i in range(SENSORS)]
    inputs += [Input(f"s{i}.lag2", SENSORS + i, 20.0, 0.0, 40.0, stream=("lag", f"s{i}", 2)) for i in range(SENSORS)]
    outputs = tuple(
        Output(
            f"s{i}", 2.0, (Term(0.5, (Factor((i + 1) % SENSORS),)), Term(0.4, (Factor(SENSORS + (i + 1) % SENSORS),)))
        )
        for i in range(SENSORS)
    )
    watched = [
        {"reading": f"s{i}", "centre": 0.1, "scale": 1.0 + 0.3 * i, "slow": slow + 0.1 * i, "weight": 1.0}
        for i in range(SENSORS)
    ]
    section = {
        "watched": watched, "smoothing": 0.25, "clip": 8.0, "track": 5, "fast": 0.7, "warm_up": 10, "threshold": {"score": 1.5, "row_rate": 0.01, "hold": 3},
    }  # fmt: skip
    section.update(changes)
    health = {"readings": [{"input": f"s{i}", "stuck": 4, "jump": 12.0} for i in range(SENSORS)]}
    model = Model(
        tuple(one.name for one in inputs), tuple(inputs), outputs, policy="clamp",
        sections={"detector/1": section, "health/1": health},
    )  # fmt: skip
    return quantize(loads(dumps(model)), to="int16")


def calm(count):
    """Rows with bursts, gaps, a spike, a stuck sensor and one beyond its range."""
    source = random.Random(5)
    rows = []
    for t in range(count):
        middle = 20.0 + (2.0 if t % 100 > 80 else 0.0)
        row = [middle + source.gauss(0.0, 1.0) for _ in range(SENSORS)]
        if t % 50 == 20:
            row[t % SENSORS] = None
        if 120 < t < 130:
            row[1] = 21.0
        if t in (150, 250):
            row[0] = 44.5
        rows.append(row)
    return rows


def wild(source, count, low=NONE, high=32767):
    """Integers of any size, among them the ends, gaps and repeats."""
    row = [source.randint(low, high) for _ in range(count)]
    for k in range(count):
        if source.random() < 0.4:
            row[k] = source.choice((NONE, -32767, 32767, 0))
    return row


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25)
@pytest.mark.long
def test_no_intermediate_value_reaches_two_to_the_thirty(stateful_model, seed):
    model = quantize(stateful_model(seed, **PLAIN), to="int16")
    if KEY not in model.sections:
        assert "hardly depends on it" in model.provenance["quantized"]["left_out"]
        return
    model = model.replace(sections=small(model.sections))
    source, state = random.Random(seed), start_q(model)
    state.detector.slow = small(state.detector.slow)
    state.detector.level = small(state.detector.level)
    state.detector.evidence = small(state.detector.evidence)
    row = wild(source, len(readings(model)))
    for _ in range(120):
        if source.random() < 0.6:
            row = wild(source, len(row))
        result, state = step_q(model, state, small(row))
        assert all(0 <= part < 2**30 for part in (*result.parts, result.score))
        assert sum(result.parts) == result.score


@given(average=st.integers(0, 2**30 - 1), value=st.integers(0, 2**30 - 1), rate=st.integers(1, 32768),
       shift=st.integers(0, 15))  # fmt: skip
def test_an_average_stays_between_itself_and_what_it_moves_to(average, value, rate, shift):
    rate = rate if shift == 0 else min(rate, 32767)  # more never has a shift, and the prover refuses it
    moved = int(move(Small(average), Small(value), (Small(rate), Small(shift))))
    assert min(average, value) <= moved <= max(average, value)
    assert abs(moved - average - (value - average) * rate / 2 ** (15 + shift)) <= 1.0


@pytest.mark.parametrize("smoothing", [0.25, 1.0])
@pytest.mark.parametrize("track", [0, 4, 11])
@pytest.mark.parametrize("fast", [0.0, 0.3, 1.0])
def test_it_does_what_the_floating_point_detector_does(smoothing, track, fast):
    model = plant(smoothing=smoothing, track=track, fast=fast)
    unit = model.sections[KEY]["unit"]
    state, other = start(model), start_q(model)
    alarms = 0
    for row in calm(400):
        want, state = step(model, state, row)
        got, other = step_q(model, other, readings_q(model, row))
        score = got.score / got.total * unit if got.total else want.score  # nothing is known: it has no score
        assert score == pytest.approx(want.score, rel=0.01, abs=0.006)
        assert got.faults == want.faults
        assert got.warming_up == (want.status == "warming up" or (bool(want.faults) and state.rows <= 10))
        if abs(want.score - 1.5) > 0.05:
            assert got.alarm == want.alarm
        alarms += got.alarm
    assert 0 < alarms < 390
    assert other.detector.alarms == alarms
    assert 0 < other.detector.onsets <= alarms


def test_a_row_of_the_wrong_length_or_size_is_refused():
    model = plant()
    for row in ([0, 0], [0, 0, 32768], [0, 0, -32769]):
        with pytest.raises(ValueError, match="a row has 3 integers of 16 bits"):
            step_q(model, start_q(model), row)


def test_readings_beyond_int16_are_cut_and_missing_ones_named():
    model = plant()
    scale = model.sections["fixed_point/1"]["inputs"][0]["scale"]
    assert readings_q(model, [20.0, None, 1e30])[1:] == [NONE, 32767]
    assert readings_q(model, {"s0": 21.0, "s1": -1e9, "s2": float("nan")}) == [
        readings_q(model, [20.0] * 3)[0] + scale,
        -32767,
        NONE,
    ]


def test_a_reading_outside_its_range_is_cut_for_others_but_not_for_its_own_residual():
    model = plant(track=0, fast=0.0, smoothing=1.0)
    high = model.sections["fixed_point/1"]["inputs"][1]["high"]
    own, other = [], []
    for q in (high, high + 1500, high + 3000):
        state = start_q(model)
        for _ in range(3):
            result, state = step_q(model, state, [0, 0, 0])
        result, state = step_q(model, state, [0, q, 0])
        assert result.faults.get("s1") == ("out of range" if q > high else "jump")
        own.append(result.parts[1])
        other.append(result.parts[0])
    assert other[0] == other[1] == other[2]
    assert own[0] < own[1] < own[2] or own[0] == own[2] == 32767**2 >> model.sections[KEY]["cut"]


def test_what_reads_a_missing_or_stuck_integer_says_nothing():
    model = plant()
    state = start_q(model)
    for t in range(6):
        result, state = step_q(model, state, [t, 7, -t])
    assert result.faults == {"s1": "stuck"}
    assert [part > 0 for part in result.parts] == [False, True, True]  # s0 is predicted from s1
    assert result.total == 2
    before = list(state.detector.evidence)
    result, state = step_q(model, state, [NONE] * 3)
    assert (result.score, result.total, result.alarm) == (0, 0, False)
    assert state.detector.evidence == before


@pytest.mark.parametrize("fast", [0.0, 1.0])
def test_an_alarm_goes_on_while_nothing_is_known(fast):
    model = plant(fast=fast, warm_up=0)
    state = start_q(model)
    for t in range(8):
        result, state = step_q(model, state, [30_000 * (-1) ** t, t, -t])
    assert result.alarm
    for _ in range(20):
        result, state = step_q(model, state, [NONE] * SENSORS)
        assert (result.alarm, result.onset, result.total) == (True, False, 0)
    assert state.detector.onsets == 1


def changed(path, value):
    def change(sections):
        *way, last = path
        at = sections
        for key in way:
            at = at[key]
        at[last] = value

    return change


ONE = (KEY, "watched", 0)


@pytest.mark.parametrize(("change", "message"), [
    (lambda s: s.pop("detector/1"), "needs detector/1, which the model does not have"),
    (lambda s: s.pop("fixed_point/1"), "needs fixed_point/1, which the model does not have"),
    (lambda s: s[KEY].pop("cut"), r"\.cut is missing"),
    (lambda s: s[KEY].update(more=1), r"\.more is unknown"),
    (lambda s: s["detector/1"]["threshold"].update(score=3.0), "threshold is .*; the model wants .*: quantize it again"),
    (lambda s: s["detector/1"].update(smoothing=0.2), r"smoothing is .*, and not the 0\.2 of detector/1; quantize the model again"),
    (lambda s: s["health/1"]["readings"][0].update(stuck=5), r"readings\[0\]\.stuck is 4; it must be that of health/1, 5"),
    (lambda s: s["health/1"]["readings"][1].update(jump=3.0), r"readings\[1\]\.jump is .*; the model wants"),
    (changed((KEY, "fraction"), 13), r"\.fraction is 13; it must be from 4 to 12"),
    (changed((KEY, "clip"), 100), r"\.clip is 100; the model wants 32768\.0"),
    (changed((KEY, "slow_fraction"), 13), r"\.slow_fraction is 13; it must be from 0 to 12"),
    (changed((KEY, "cut"), 30), r"\.cut is 30; it must be from 0 to 29"),
    (changed((KEY, "cut"), 0), r"\.unit is .*; it must be"),
    (changed((*ONE, "bias"), 2**30 + 1), r"bias is 1073741825; it must be from -1073741824 to 1073741824"),
    (changed((KEY, "unit"), 1.0), r"\.unit is 1\.0; it must be"),
    (changed((KEY, "smoothing"), [1]), r"smoothing is \[1\]; it holds a rate and a shift"),
    (changed((KEY, "readings"), []), r"readings has 0 entries; it must have 3"),
    (changed((KEY, "watched"), []), r"watched has 0 entries; it must have 3"),
    (changed((*ONE, "shift"), 29), r"shift is 29; it must be from 0 to 28"),
    (changed((*ONE, "factor"), 2049), r"factor is 2049; it must be from 1 to 2048"),
    (changed((*ONE, "own"), 1.5), r"own is 1\.5; it must be a whole number"),
    (changed((*ONE, "weight"), 0), r"weight is 0; it must be from 1 to 127"),
    (changed((*ONE, "slow"), True), r"slow is True; it must be a whole number"),
    (changed((*ONE, "fast"), 300), r"fast is 300; it must be from 0 to 256"),
    (changed((*ONE, "fast"), 170), r"fast is 170; the model wants .*: quantize it again"),
    (changed((KEY, "quick"), 3), r"\.quick is 3; it must be"),
    (changed((*ONE, "bound"), -1.0), r"bound is -1\.0; it must not be negative"),
    (changed((*ONE, "terms", 0), [1]), r"terms\[0\] is \[1\]; it holds a coefficient and an input"),
    (changed((*ONE, "terms", 0), [1, 6]), r"terms\[0\]\[1\] is 6; inputs has 6 entries"),
])  # fmt: skip
def test_what_a_section_must_be(change, message):
    model = plant()
    sections = copy.deepcopy(model.sections)
    change(sections)
    with pytest.raises(ModelFormatError, match=rf"^model: sections\['fixed_detector/1'\].*{message}"):
        loads(dumps(model.replace(sections=sections)))


def test_order_of_sections_in_a_file_does_not_matter_and_older_files_have_none():
    model = plant()
    assert loads(dumps(model.replace(sections=dict(sorted(model.sections.items(), reverse=True))))).sections[KEY]
    older = {key: value for key, value in model.sections.items() if key != KEY}
    assert KEY not in loads(dumps(model.replace(sections=older))).sections
