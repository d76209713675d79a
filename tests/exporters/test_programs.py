"""Programs: as they stand they are the runtime's `step`, and so is what the front end makes of them."""

import math
import random
from types import SimpleNamespace

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso.verifying.trial_sequences import sequences
from edge_lasso_exporters.detector_q import DetectorQ
from edge_lasso_exporters.options import Options
from edge_lasso_exporters.programs.layout import layout
from edge_lasso_exporters.programs.layout_fixed import layout_fixed
from edge_lasso_exporters.programs.layout_q import layout_q
from edge_lasso_exporters.programs.nodes import Member, Spec, Table
from edge_lasso_exporters.programs.print_python import PrinterPython
from edge_lasso_exporters.programs.running import memory, runnable, source
from edge_lasso_exporters.programs.specialize import ProgramError, specialize
from edge_lasso_exporters.stateful import Stateful
from edge_lasso_runtime.fixed_detector import KEY, readings_q, start_q, step_q
from edge_lasso_runtime.fixed_history import NONE
from edge_lasso_runtime.fixed_point import INT16, decode, predict_q, probability_q
from edge_lasso_runtime.fixed_stream import start_fixed, step_fixed
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.step_session import FAULTS
from edge_lasso_runtime.stream import keeps_state


def printed(program, spec, **scope):
    """The program's entry as Python is printed, with a new state and a new result."""
    printer = PrinterPython(specialize(source(program), spec, expressions=True), spec)
    names = {"NAN": math.nan, "exp": math.exp, **scope}
    exec(printer.source(), names)
    return names["_step"], *(eval(printer.start(owner), names) for owner in ("state", "out"))


def same(out, want, names):
    """Whether a result is what the runtime's `step` says."""
    assert out.get("linear", out["values"]) == want.linear
    assert out["values"] == want.values
    assert [FAULTS[fault] for fault in out["faults"]] == [want.faults.get(name, "") for name in names]
    assert out.get("widths") in (None, want.widths or [1.0] * len(want.linear))
    if want.score is not None:
        assert (out["score"], out["parts"]) == (want.score, want.parts)
        assert (out["alarm"], out["onset"]) == (want.alarm, want.onset)


@pytest.mark.parametrize("seed", range(12))
def test_step_is_the_runtimes(stateful_model, seed):
    model = stateful_model(seed)
    if not keeps_state(model):
        pytest.skip("it keeps no state")
    plan = Stateful(model, Options("double"))
    spec = layout(plan)
    run = runnable("step", spec)
    for rows in sequences(model, seed=seed)[:2]:
        state, out, reference = memory(spec, "state"), memory(spec, "out"), start(model)
        own, own_state, own_out = printed("step", spec)
        for row in rows[:150]:
            want, reference = step(model, reference, row)
            run(state, SimpleNamespace(x=row), memory(spec, "work"), out)
            own(own_state, row, own_out)
            same(vars(out), want, plan.names)
            same(own_out, want, plan.names)


@pytest.mark.parametrize("seed", range(8))
def test_step_fixed_is_the_runtimes(stateful_model, seed):
    model = stateful_model(seed, plain=True)
    if not keeps_state(model):
        pytest.skip("it keeps no state")
    model = quantize(model, to=("int16", "int8")[seed % 2])
    plan, section = Stateful(model, Options("fixed")), model.sections["fixed_point/1"]
    spec = layout_fixed(plan, exponential=True)

    def sums(q, r):
        r[:] = predict_q(section, q)

    def decoded(value, k):
        one = section["outputs"][k]
        return value * one["unit"] + one["offset"]

    run = runnable(
        "step_fixed", spec, sums=sums, decoded=decoded, probability=lambda r: probability_q(section, r) / 65536.0
    )
    for rows in sequences(model, seed=seed)[:2]:
        state, out, reference = memory(spec, "state"), memory(spec, "out"), start_fixed(model)
        for row in rows[:150]:
            want, reference = step_fixed(model, reference, row)
            run(state, SimpleNamespace(x=row), memory(spec, "work"), out)
            assert decode(section, [0] * len(want.linear)) == [one["offset"] for one in section["outputs"]]
            same(vars(out), want, plan.names)


def integers(count, seed, rows=200):
    """Rows of any integers, many of them twice, some missing."""
    draw = random.Random(seed)
    row = [0] * count
    for _ in range(rows):
        row = [
            value
            if draw.random() < 0.3
            else draw.choice((NONE, -INT16, INT16, draw.randint(-INT16, INT16), draw.randint(-300, 300)))
            for value in row
        ]
        yield row


@pytest.mark.parametrize("seed", range(12))
def test_step_q_is_the_runtimes(stateful_model, seed):
    model = quantize(stateful_model(seed, plain=True, detector=True, categories=False), to=("int16", "int8")[seed % 2])
    if KEY not in model.sections:
        pytest.skip("integers cannot do it")
    q = DetectorQ(model)
    spec = layout_q(q)
    run = runnable("step_q", spec)
    own, own_state, own_out = printed("step_q", spec)
    state, out, reference = memory(spec, "state"), memory(spec, "out"), start_q(model)
    rows = [
        *integers(len(q.plan.readings), seed),
        *(readings_q(model, row) for row in sequences(model, seed=seed)[0][:100]),
    ]
    for row in rows:
        want, reference = step_q(model, reference, row)
        run(state, SimpleNamespace(q=row), out)
        own(own_state, row, own_out)
        for found in (vars(out), own_out):
            assert (found["score"], found["total"], found["parts"]) == (want.score, want.total, want.parts)
            assert (found["alarm"], found["onset"], found["warming_up"]) == (want.alarm, want.onset, want.warming_up)
            assert [FAULTS[fault] for fault in found["faults"]] == [want.faults.get(name, "") for name in q.plan.names]


def read(text, numbers=None, tables=None, **members):
    owners = {"state": {}, "out": {}, "given": {}, **members}
    return specialize(text, Spec(numbers or {}, tables or {}, owners))


def test_what_a_model_has_not_is_not_there():
    text = (
        "def twice(x, how):\n    return x * how\n\n\n"
        "def step(state, given, out):\n    if TRACK == 3:\n        out.a = 1\n    # why\n"
        "    unused = 3\n    out.y = twice(given.q[0], 2)\n    out.none = 5\n    for k, row in rows(NOTHING):\n        out.y = 0\n"
    )
    functions = read(text, {"TRACK": 5}, out={"y": Member(-9, 9)}, given={"q": Member(-4, 4, 1)})
    printer = PrinterPython(
        functions, Spec({}, {}, {"out": {"y": Member(-9, 9)}, "given": {"q": Member(-4, 4, 1)}, "state": {}})
    )
    assert printer.source().split() == [
        "def",
        "_twice(x):",
        "return",
        "x",
        "*",
        "2",
        "def",
        "_step(q,",
        "out):",
        'out["y"]',
        "=",
        "_twice(q[0])",
    ]


def test_rows_within_rows_keep_their_number_where_all_are_alike():
    inner = Table({"place": [0, 0, 0]})
    tables = {"OUTER": Table({"a": [1, 2]}, {"inner": ([1, 2], inner)})}
    text = "def step(given, out):\n    total = 0\n    for k, outer in rows(OUTER):\n        for n, term in rows(outer.inner):\n            total += outer.a + given.q[term.place]\n    out.y = total\n"
    spec = Spec({}, tables, {"out": {"y": Member(0, 99)}, "given": {"q": Member(0, 9, 1)}, "state": {}})
    names = {}
    exec(PrinterPython(specialize(text, spec), spec).source(), names)
    out = {}
    names["_step"]([7], out)
    assert out["y"] == 1 + 7 + 2 * (2 + 7)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("import os", "line 2: import os is not in the subset"),
        ("out.y = [1]", r"line 2: \[1\] is not in the subset"),
        ("out.y = UNKNOWN", "line 2: the model has no number UNKNOWN"),
        ("out.y = print(1)", "a program has no function 'print'"),
        ("out.y = 2 ** 3", r"line 2: .* is not in the subset"),
    ],
)
def test_what_is_not_in_the_subset_is_refused(line, says):
    with pytest.raises(ProgramError, match=says):
        read(f"def step(out):\n    {line}\n", out={"y": Member(0, 9)})


def test_a_row_whose_numbers_are_all_known_is_not_looked_up():
    text = "def step(given, out):\n    row = at(ONE, given.q[0])\n    out.y = row.value\n"
    spec = Spec(
        {}, {"ONE": Table({"value": [3]})}, {"out": {"y": Member(0, 9)}, "given": {"q": Member(0, 0, 1)}, "state": {}}
    )
    assert "ONE" not in PrinterPython(specialize(text, spec), spec).source()
