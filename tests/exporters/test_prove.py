"""The prover: what it shows of programs, what it refuses, and that what it lets pass never leaves its room."""

import copy
import functools
import random
import re
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.compressing.quantize import quantize
from edge_lasso_exporters import registry
from edge_lasso_exporters.detector_q import DetectorQ
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_exporters.programs.intervals import computed, fitting, join, squared
from edge_lasso_exporters.programs.layout import layout
from edge_lasso_exporters.programs.layout_q import layout_q
from edge_lasso_exporters.programs.nodes import Member, Spec, Table
from edge_lasso_exporters.programs.prove import SMALL, prove
from edge_lasso_exporters.programs.running import memory, runnable, source
from edge_lasso_exporters.programs.specialize import specialize
from edge_lasso_exporters.programs.values import WORD, ProofError
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.fixed_detector import KEY
from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.stream import keeps_state

EVERYTHING = {"detector": True, "categories": False, "adjust": False, "health": True, "streams": 6}


@pytest.fixture(scope="module")
def detector(stateful_model):
    """A quantized detector by seed."""

    @functools.cache
    def make(seed, **only):
        model = quantize(stateful_model(seed, plain=True, **{**EVERYTHING, **only}), to="int16")
        assert KEY in model.sections
        return model

    return make


def proven(text, spec, room=SMALL):
    """Prove a program both as it is printed in C and in Python."""
    prove(specialize(text, spec, expressions=True), spec, room)
    return prove(specialize(text, spec), spec, room)


@pytest.mark.parametrize("adjust", [False, True])
@pytest.mark.parametrize("smoothing", [0.2, 1.0])
@pytest.mark.parametrize("track", [0, 4, 11])
def test_every_detector_is_proven(detector, adjust, smoothing, track):
    model = detector(4, smoothing=smoothing, track=track, fast=0.6, adjust=adjust)
    result = proven(source("step_q"), layout_q(DetectorQ(model)))
    assert 2**20 < result.largest < 2**30
    assert min(result.operations, result.indices, result.shifts, result.members) > 5
    assert result.lemmas <= {"average", "mean"}


@pytest.mark.parametrize("seed", range(3))
def test_indices_of_floating_point_are_proven(stateful_model, seed):
    model = stateful_model(seed, streams=6, estimate=True)
    assert keeps_state(model)
    result = proven(source("step"), layout(Stateful(model, Options("double"))), WORD)
    assert result.indices > 50
    assert result.lemmas <= {"whole"}


def test_many_readings_share_the_last_bit_of_a_status():
    inputs = tuple(Input(f"s{i}", i, 1.0, 0.0, 2.0) for i in range(40))
    health = {"readings": [{"input": f"s{i}", "stuck": 3, "jump": 1.0} for i in range(40)]}
    model = Model(
        tuple(f"s{i}" for i in range(40)),
        inputs,
        (Output("y", 0.0, (Term(1.0, (Factor(0),)),)),),
        sections={"health/1": health},
    )
    for target, variant in (("c", "double"), ("c", "float"), ("python", "double"), ("js", "double")):
        assert any(proof["name"] == "step: shifts" for proof in registry.proofs(model, target, Options(variant)))


@pytest.mark.long
def test_of_many_sensors_each_has_its_own_range():
    inputs = tuple(Input(f"s{i}", i, 1.0, 0.0, 2.0 + i / 7) for i in range(70))
    watched = [{"reading": f"s{i}", "centre": 0.0, "scale": 0.5, "slow": 0.5, "weight": 1.0} for i in range(2)]
    section = {
        "watched": watched, "smoothing": 0.25, "clip": 8.0, "track": 5, "fast": 0.7, "warm_up": 10, "threshold": {"score": 4.0, "row_rate": 0.01, "hold": 3},
    }  # fmt: skip
    outputs = tuple(Output(f"s{i}", 0.5, tuple(Term(0.01, (Factor(k),)) for k in range(2, 70))) for i in range(2))
    model = quantize(
        Model(tuple(feature.name for feature in inputs), inputs, outputs, sections={"detector/1": section}), to="int16"
    )
    assert KEY in model.sections
    for target in ("c", "python"):
        names = {proof["name"] for proof in registry.proofs(model, target, Options("fixed"))}
        assert {"predict: integers", "step: state", "step_q: integers", "step_q: state"} <= names


BREAKS = {
    "a range that is not cut": ("cut = clip(value, sensor.low, sensor.high)", "cut = value", "is declared"),
    "a place too far": (" - state.memory[change.now + change.length]", " - state.memory[change.now + 90]", "the index can be"),
    "a residual that is not cut": ("        r = clip(r, -CLIP, CLIP)", "        r = r * 8", "can reach"),
    "a run that goes on": ("if state.run[k] <= sensor.stuck:", "if True:", r"state.run\[k\] .*is declared"),
    "a quiet time that goes on": ("elif state.quiet <= HOLD:", "elif state.quiet >= 0:", "state.quiet is declared"),
    "a shift too wide": (">> SECOND", ">> (SECOND + 20)", "the shift can be by"),
    "a mean of nothing": ("if count > 0:", "if count >= 0:", "the divisor can be 0"),
    "a mean that is a sum": ('within((2 * total + count) // (2 * count), mean.low, mean.high, "mean")', "total", "is declared"),
    "a counter that is read": ("if state.quiet > HOLD", "if state.alarms > HOLD", "state.alarms is read"),
    "a weight too large": ("limit * out.total", "limit * (out.total * 9999)", "can reach"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_program_is_refused(detector, name):
    old, new, says = BREAKS[name]
    text = source("step_q")
    assert text.count(old) == 1
    refused = []
    for kind in ("difference", "mean"):
        spec = layout_q(DetectorQ(detector(8, smoothing=0.2, track=0, kind=kind)))
        try:
            prove(specialize(text.replace(old, new), spec), spec)
        except ProofError as error:
            refused.append(str(error))
    assert refused
    assert all(re.search(says, message) for message in refused), refused


RINGS = {
    "head - length if head >= length": "head - length if head + 1 >= length",
    "if head >= source.size:": "if head > source.size:",
    "state.gone[n] = j": "state.gone[n + 1] = j",
    "return i * (i + 1) // 2 + j if i >= j": "return i * (i + 3) // 2 + j if i >= j",
}


@pytest.mark.parametrize("old", RINGS)
def test_an_index_that_leaves_a_ring_or_a_triangle_is_refused(stateful_model, old):
    model = stateful_model(1, streams=6, estimate=True, kind="lag")
    text = source("step")
    assert text.count(old) == 1
    with pytest.raises(ProofError, match=r"the index can be|row .* of INVERSE|is declared"):
        proven(text.replace(old, RINGS[old]), layout(Stateful(model, Options("double"))), WORD)


def tampered(draw, section):
    """A section with one of its integers another one, within what a field may hold."""
    watch = draw.choice(section["watched"])
    places = [
        (section, "clip", 0, 32767), (section, "cut", 0, 29), (section, "threshold", 0, SMALL),
        (section["smoothing"], 0, 1, 32768), (section["smoothing"], 1, 0, 15), (watch, "bias", -SMALL, SMALL),
        (watch, "shift", 0, 28), (watch, "factor", 1, 1 << 14), (watch, "own", -32767, 32767), (watch, "weight", 1, 127),
    ]  # fmt: skip
    places += [(term, 0, -32767, 32767) for term in watch["terms"]]
    places += [(section, key, 0, 29) for key in ("first", "second") if key in section]
    places += [(watch, "slow", 1, 32767)] if "slow" in watch else []
    data, key, low, high = draw.choice(places)
    data[key] = draw.choice((low, high, draw.randint(low, high)))


def checked(value):
    assert -SMALL <= value < SMALL, value
    return value


class Small(int):
    """An integer that refuses results of 2^30 and more, and shifts beyond 31."""

    def __add__(self, other):
        return Small(checked(int(self) + other))

    def __sub__(self, other):
        return Small(checked(int(self) - other))

    def __mul__(self, other):
        return Small(checked(int(self) * other))

    def __rshift__(self, other):
        assert 0 <= other <= 31
        return Small(int(self) >> other)

    def __and__(self, other):
        return Small(int(self) & other)

    def __radd__(self, other):
        return Small(checked(other + int(self)))

    def __rsub__(self, other):
        return Small(checked(other - int(self)))

    def __rmul__(self, other):
        return Small(checked(other * int(self)))


@pytest.mark.long
@given(seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_what_is_proven_of_a_tampered_section_holds(detector, seed):
    draw = random.Random(seed)
    model = detector(4, smoothing=(0.2, 1.0)[seed % 2], track=(0, 5)[seed % 3 % 2])
    section = copy.deepcopy(model.sections[KEY])
    for _ in range(draw.randint(1, 3)):
        tampered(draw, section)
    model = model.replace(sections={**model.sections, KEY: section})
    q = DetectorQ(model)
    spec = layout_q(q)
    try:
        proven(source("step_q"), spec)
    except ProofError:
        return
    run = runnable("step_q", spec)
    state, out = memory(spec, "state"), memory(spec, "out")
    state.evidence = [Small(value) for value in state.evidence]
    for _ in range(60):
        row = [Small(draw.choice((NONE, -32767, 32767, draw.randint(-32767, 32767)))) for _ in q.plan.readings]
        run(state, SimpleNamespace(q=row), out)
        for name, member in spec.members["state"].items():
            if member.count:
                for i, value in enumerate(getattr(state, name)):
                    low, high = member.each[i] if member.each else (member.low, member.high)
                    assert low <= value <= high or value == member.none


WIDTHS = {
    "bias": lambda s: s["watched"][0].update(bias=SMALL - 1),
    "a coefficient": lambda s: [watch.update(own=32767) or [term.__setitem__(0, 32767) for term in watch["terms"]] for watch in s["watched"]],
    "cut": lambda s: s.update(cut=0),
    "first": lambda s: s.update(first=0),
    "slow": lambda s: s.update(first=0) or s["watched"][-1].update(slow=32767),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDTHS)
def test_sections_whose_sums_grow_too_wide_are_refused(detector, name):
    """The same five that loading a model refused when it had a proof of its own, kept by hand."""
    model = detector(4, smoothing=0.2, track=0)
    section = copy.deepcopy(model.sections[KEY])
    WIDTHS[name](section)
    with pytest.raises(ProofError, match=r"can reach .*; it must stay below 1,073,741,824"):
        proven(source("step_q"), layout_q(DetectorQ(model.replace(sections={**model.sections, KEY: section}))))


@pytest.mark.long
def test_a_failed_proof_refuses_the_export_in_one_line(detector):
    model = detector(4, smoothing=0.2, track=0)
    section = copy.deepcopy(model.sections[KEY])
    section["cut"] = 0
    model = model.replace(sections={**model.sections, KEY: section})
    for target in ("c", "python", "js"):
        with pytest.raises(ExportError, match=r"^step_q is not proven, so it is not exported: step > detect: [^\n]*$"):
            registry.proofs(model, target, Options("fixed"))


def small_program(body, **members):
    owners = {"state": {}, "given": {"q": Member(-4, 4, 3)}, "out": {"y": Member(-9, 9)}, **members}
    spec = Spec({}, {"TABLE": Table({"value": [1, 5, 2]})}, owners)
    text = "def step(state, given, out):\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    return specialize(text, spec), spec


@pytest.mark.parametrize("body", [
    "out.y = given.q[0] + given.q[1]",
    "row = at(TABLE, clip(given.q[0], 0, 2))\nout.y = row.value",
    "x = given.q[0]\nif x < 0 or x > 3:\n    x = 0\nif x >= 0 and x <= 3:\n    out.y = x",
    "total = 0\nfor k in range(3):\n    if given.q[k] < 0:\n        break\n    total += given.q[k]\nout.y = clip(total, 0, 9)",
    "x = 0\nfor k in range(clip(given.q[0], 0, 3)):\n    x = given.q[k]\nout.y = x",
    "out.y = given.q[0] * given.q[0] >> 1",
])  # fmt: skip
def test_small_programs_are_proven(body):
    prove(*small_program(body))


@pytest.mark.parametrize(("body", "says"), [
    ("out.y = given.q[0] * given.q[1]", "out.y is declared -9 to 9 and can be -16 to 16"),
    ("out.y = given.q[given.q[0]]", r"given.q\[given.q\[0\]\]: the index can be -4 to 4, of 3 elements"),
    ("row = at(TABLE, given.q[0])\nout.y = row.value", "row -4 to 4 of TABLE, which has 3"),
    ("out.y = 1 << given.q[0]", "1 << given.q.0.: the shift can be by -4 to 4"),
    ("out.y = 8 // given.q[0]", "the divisor can be -4"),
    ("out.y = given.q[0] & given.q[1]", "the mask can be -4"),
    ("x = 0\nfor k in range(clip(given.q[0], 0, 3)):\n    x += 1\nout.y = x", "does not settle"),
])  # fmt: skip
def test_small_programs_are_refused(body, says):
    with pytest.raises(ProofError, match=says):
        prove(*small_program(body))


@pytest.mark.parametrize("count", [3, 300])
def test_long_loops_are_taken_together_where_that_is_enough(count):
    result = prove(*small_program(f"for k in range({count}):\n    out.y = clip(given.q[0] * 2, 0, 8) + 1"))
    assert result.operations < 40
    with pytest.raises(ProofError, match=rf"out.y is declared -9 to 9 and can be 0 to {4 * count:,}"):
        prove(*small_program(f"x = 0\nfor k in range({count}):\n    x += clip(given.q[0], 0, 4)\nout.y = x"))


def test_state_has_to_begin_and_to_stay_in_its_range():
    with pytest.raises(ProofError, match=r"state.n begins outside"):
        prove(*small_program("out.y = state.n", state={"n": Member(1, 5, start=0)}))
    with pytest.raises(ProofError, match=r"state.n is declared 0 to 5 and can be 1 to 6"):
        prove(*small_program("state.n += 1", state={"n": Member(0, 5)}))
    with pytest.raises(ProofError, match=r"state.n \[1\] is declared 0 to 2 and can be 0 to 5 after a row"):
        prove(*small_program("push(state.n, 2)", state={"n": Member(0, 9, 2, each=((0, 5), (0, 2)))}))
    prove(*small_program("if state.n < 5:\n    state.n += 1", state={"n": Member(0, 5)}))


SETS = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), min_size=1, max_size=4).map(
    lambda pairs: join(*(((low, low + more),) for low, more in pairs))
)


def members(values):
    return {x for low, high in values for x in range(low, high + 1)}


@given(left=SETS, right=SETS, op=st.sampled_from(("+", "-", "*", "<", "<=", ">", ">=", "==", "!=")))
@settings(max_examples=60)
def test_sets_hold_everything_that_can_happen(left, right, op):
    mine, others = members(left), members(right)
    if op in ("+", "-", "*"):
        results = {eval(f"x {op} y") for x in mine for y in others}
        assert results <= members(computed(op, left, right))
        assert {x * x for x in mine} <= members(squared(left))
    else:
        assert {x for x in mine for y in others if eval(f"x {op} y")} <= members(fitting(left, op, right))
