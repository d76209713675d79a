"""What sections and their models may hold: each refusal by the field that it names, by one change of what is taken."""

import copy
import json
import re

import pytest
from streams import detecting, regression

from edge_lasso.compressing.quantize import quantize
from edge_lasso_runtime import Factor, Input, Model, ModelFormatError, Output, Term, dumps, loads
from edge_lasso_runtime.fixed_history import validate_streams


def classifying():
    """Two classes, with a first stage of a cascade."""
    section = {
        "yes": 1, "low": -1.0, "high": 1.0, "miss": 0.1, "false_alarm": 0.1, "confidence": 0.95, "rows": {"calibration": 9, "check": 9},
        "goes_on": {"predicted": 0.2, "found": 0.1}, "found": {},
    }  # fmt: skip
    output = Output("y", 0.5, (Term(2.0, (Factor(0),)),), "logistic")
    model = Model(("a",), (Input("a", 0, 1.0, 0.0, 2.0),), (output,), classes=("no", "yes"))
    return loads(dumps(model.replace(sections={"cascade/1": section})))


def counting():
    """In whole numbers: a reading, and its average of two."""
    inputs = (Input("t", 0, 20.0, -10.0, 50.0), Input("t.mean2", 1, 20.0, -10.0, 50.0, stream=("mean", "t", 2)))
    terms = (Term(0.5, (Factor(0),)), Term(0.25, (Factor(1),)))
    return quantize(Model(("t", "t.mean2"), inputs, (Output("y", 0.125, terms),)), to="int16")


def two_outputs(link):
    """Of a model file."""
    return [{"name": name, "intercept": 0.0, "link": link, "terms": []} for name in "yz"]


ADJUST = {"eta": 0.05, "floor": 0.5, "cap": 3.0, "freeze": 2, "thaw": 5}
DETECTOR, INTERVAL, CASCADE, DRIFT = (("sections", name) for name in ("detector/1", "interval/1", "cascade/1", "drift/1"))  # fmt: skip
WATCHED = (*DETECTOR, "watched", 0)
LINE = (*DETECTOR, "threshold")
COUNTS, NUMBER, TERM = ("sections", "fixed_point/1"), ("inputs", 0), ("outputs", 0, "terms", 0)
HEALTH = ("sections", "health/1", "readings", 0)
ESTIMATE = {"mean": [0.0] * 3, "inverse": [1.0, 0.0, 1.0, 0.0, 0.0, 1.0], "residual": [1.0] * 3}
REFUSALS = [
    (detecting, ("outputs", 0, "link"), "exp", "outputs have different links (exp, identity)"),
    (detecting, (*DETECTOR, "watched"), [], "watched has 0 entries; the model has 3 outputs"),
    (detecting, (*WATCHED, "reading"), "z", "watched[0].reading is 'z'; it must be an input that is a reading"),
    (detecting, (*WATCHED, "reading"), "b", "outputs[0] predicts 'b' from its own present"),
    (detecting, (*WATCHED, "scale"), 0.0, "watched[0].scale is 0.0; it must be positive"),
    (detecting, (*WATCHED, "slow"), -1.0, "watched[0].slow is -1.0; it must be positive"),
    (detecting, (*WATCHED, "weight"), 0, "watched[0].weight is 0; it must be positive"),
    (detecting, (*WATCHED, "centre"), "x", "watched[0].centre is 'x'"),
    (detecting, (*DETECTOR, "smoothing"), 0.0, "smoothing is 0.0; it must be above 0 and at most 1"),
    (detecting, (*DETECTOR, "smoothing"), 1.5, "smoothing is 1.5; it must be above 0 and at most 1"),
    (detecting, (*DETECTOR, "fast"), -0.1, "fast is -0.1; it must be from 0 to 1"),
    (detecting, (*DETECTOR, "fast"), 1.1, "fast is 1.1; it must be from 0 to 1"),
    (detecting, (*DETECTOR, "step_seconds"), 0.0, "step_seconds is 0.0; it must be positive"),
    (detecting, (*DETECTOR, "clip"), -1.0, "clip is -1.0; it must not be negative"),
    (detecting, (*DETECTOR, "track"), 1, "track is 1; it must be a whole number from 4 to"),
    (detecting, (*DETECTOR, "track"), False, "track is False; it must be a whole number"),
    (detecting, (*DETECTOR, "warm_up"), 1.5, "warm_up is 1.5; it must be a whole number from 0 to"),
    (detecting, (*LINE, "score"), -1.0, "threshold.score is -1.0; it must not be negative"),
    (detecting, (*LINE, "row_rate"), 0.0, "threshold.row_rate is 0.0; it must be between 0 and 1"),
    (detecting, (*LINE, "row_rate"), 1.0, "threshold.row_rate is 1.0; it must be between 0 and 1"),
    (detecting, (*LINE, "hold"), True, "threshold.hold is True; it must be a whole number from 0"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "eta": 0.0}, "adjust.eta is 0.0; it must be above 0 and at most 1"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "eta": 1.5}, "adjust.eta is 1.5; it must be above 0 and at most 1"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "cap": 0.5}, "adjust.cap is 0.5; it must be at least 1"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "floor": 0.0}, "adjust.floor is 0.0; it must be above 0"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "floor": 1.5}, "adjust.floor is 1.5; it must be above 0"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "freeze": 0}, "adjust.freeze is 0; it must be a whole number from 1"),
    (detecting, (*DETECTOR, "adjust"), {**ADJUST, "thaw": 1}, "adjust.thaw is 1; it must be a whole number from 2"),
    (detecting, (*DRIFT, "readings", 0, "input"), "z", "readings[0].input is 'z'; it must be a reading of numbers"),
    (detecting, (*DRIFT, "readings", 1, "input"), "a", "readings[1].input is 'a'; it must be a reading of numbers, named once"),
    (detecting, (*DRIFT, "readings", 0, "missing"), 1.5, "readings[0].missing is 1.5; it must be from 0 to 1"),
    (detecting, (*DRIFT, "readings", 0, "edges"), [], "readings[0].edges must be 1 to 31 rising numbers"),
    (detecting, (*DRIFT, "readings", 0, "edges"), [float(i) for i in range(32)], "readings[0].edges must be 1 to 31 rising"),
    (detecting, (*DRIFT, "readings", 0, "parts"), [0.25] * 3, "readings[0].parts must be 4 parts that add up to 1"),
    (detecting, (*DRIFT, "readings", 0, "parts"), [0.5] * 4, "readings[0].parts must be 4 parts that add up to 1"),
    (detecting, (*DRIFT, "score", "parts"), [1.5, -0.25, -0.25], "score.parts must be 3 parts that add up to 1"),
    (detecting, (*DRIFT, "page_hinkley", "deviation"), 0.0, "page_hinkley.deviation is 0.0; it must be positive"),
    (detecting, (*DRIFT, "page_hinkley", "limit"), 0.0, "page_hinkley.limit is 0.0; it must be positive"),
    (regression, (*INTERVAL, "level"), 0.0, "level is 0.0; it must be between 0 and 1"),
    (regression, (*INTERVAL, "level"), 1.0, "level is 1.0; it must be between 0 and 1"),
    (regression, (*INTERVAL, "low"), [-1.0, -1.0], "low has 2 entries; the model has 1 outputs"),
    (regression, (*INTERVAL, "low"), [3.0], "low[0] is 3.0, more than high[0], 2.0"),
    (regression, (*INTERVAL, "rows", "check"), -1, "rows.check is -1; it must be a number of rows"),
    (regression, (*INTERVAL, "rows", "check"), True, "rows.check is True; it must be a number of rows"),
    (regression, (*INTERVAL, "rows", "check"), 1.0, "rows.check is 1.0; it must be a number of rows"),
    (regression, (*INTERVAL, "effective_rows"), 0.0, "effective_rows is 0.0; it must be larger than 0"),
    (regression, (*INTERVAL, "supported"), 1.5, "supported is 1.5; it must be between 0 and 1"),
    (regression, (*INTERVAL, "supported"), -0.5, "supported is -0.5; it must be between 0 and 1"),
    (regression, (*INTERVAL, "coverage"), [0.5, 1.5], "coverage[1] is 1.5; it must be between 0 and 1"),
    (regression, (*INTERVAL, "blocks"), [-0.5], "blocks[0] is -0.5; it must be between 0 and 1"),
    (regression, ("outputs", 0, "link"), "exp", "does not go with link 'exp'; probabilities have no interval"),
    (regression, ("outputs", 0, "link"), "logistic", "classes must name the 2 classes of link 'logistic'"),
    (regression, ("outputs", 0, "link"), "softmax", "link 'softmax' with 1 outputs; 'logistic' has one, 'softmax' two or more"),
    (classifying, ("outputs",), two_outputs("logistic"), "link 'logistic' with 2 outputs; 'logistic' has one"),
    (regression, ("inputs", 1, "stream", "of"), "kind", "inputs[1].stream.of is 'kind'; it must be an input of numbers"),
    (regression, ("classes",), ["no", "yes"], "classes do not go with link 'identity'; use 'logistic' or 'softmax'"),
    (regression, ("outputs", 0, "terms", 0, "coef"), 3e38, "the model's values can overflow float32"),
    (regression, ("inputs", 0, "high"), 1e38, "the range -10.0 to 1e+38 can overflow float32 in this model"),
    (regression, ("sections", "cascade/1"), classifying().sections["cascade/1"], "a first stage is a classifier of two classes, or a detector"),
    (classifying, ("classes",), ["no", "perhaps", "yes"], "classes must name the 2 classes of link 'logistic'"),
    (classifying, (*CASCADE, "low"), 2.0, "low is 2.0, more than high, 1.0"),
    (classifying, (*CASCADE, "yes"), 2, "yes is 2; allowed: 0, 1"),
    (classifying, (*CASCADE, "yes"), True, "yes is True; allowed: 0, 1"),
    (detecting, ("sections", "cascade/1"), {**classifying().sections["cascade/1"], "yes": 0}, "yes is 0; allowed: 1"),
    (classifying, (*CASCADE, "miss"), 0.0, "miss is 0.0; it must be between 0 and 1"),
    (classifying, (*CASCADE, "confidence"), 1.0, "confidence is 1.0; it must be between 0 and 1"),
    (classifying, (*CASCADE, "rows", "check"), -1, "rows.check is -1; it must be 0 or more"),
    (classifying, (*CASCADE, "goes_on", "found"), -0.5, "goes_on.found is -0.5; it must be 0 or more"),
    (classifying, (*CASCADE, "found"), [], "found is []"),
    (regression, ("outputs",), [], "outputs is empty; a model has at least one"),
    (regression, ("sections", "no-such/1"), {}, "section 'no-such/1' is unknown; this version reads"),
    (regression, (*NUMBER, "default"), 60.0, "low <= default <= high does not hold for -10.0, 60.0, 50.0"),
    (regression, NUMBER, {"name": "t", "column": 0}, "inputs[0].default is missing; a numeric input has default, low and high"),
    (regression, (*NUMBER, "raw"), {"scale": 0.0, "offset": 1.0}, "inputs[0].raw.scale is 0; it must not be"),
    (regression, ("inputs", 1, "raw"), {"scale": 1.0, "offset": 1.0}, "inputs[1].raw does not go with stream"),
    (regression, ("inputs", 1, "stream", "length"), 100_001, "stream.length is 100001; it must be a number of readings from 1 to 100000"),
    (regression, ("inputs", 1, "stream"), {"kind": "mean", "of": "t", "length": 1}, "stream.length is 1; it must be a number of readings from 2"),
    (regression, ("inputs", 2, "low"), 0.0, "inputs[2].low does not go with categories; leave it out"),
    (regression, (*TERM, "factors"), [], "factors has 0 entries; a term has 1 to 8"),
    (regression, (*TERM, "factors"), [0] * 9, "factors has 9 entries; a term has 1 to 8"),
    (regression, (*TERM, "factors"), [2], "factors[0] uses the categorical input 'kind' as a number"),
    (regression, (*TERM, "factors"), [{"input": 0}], "factors[0] has 0 of equals, hinge, step beside its input; it must have one"),
    (regression, (*TERM, "factors"), [{"input": 0, "step": 1.0, "hinge": 1.0}], "factors[0] has 2 of equals, hinge, step"),
    (regression, (*TERM, "factors"), [{"input": 2, "hinge": 1.0}], "factors[0].hinge does not go with the categorical input 'kind'"),
    (regression, (*TERM, "factors"), [{"input": 2, "step": 1.0}], "factors[0].step does not go with the categorical input 'kind'"),
    (regression, (*TERM, "factors"), [{"input": 0, "equals": "red"}], "factors[0].equals is 'red', which is not a category of its input"),
    (regression, (*TERM, "factors"), [{"input": 2, "equals": "blue"}], "factors[0].equals is 'blue', which is not a category of its input"),
    (detecting, (*HEALTH, "input"), "z", "readings[0].input is 'z'; it must be a reading of numbers, named once"),
    (detecting, (*HEALTH, "input"), "b", "readings[1].input is 'b'; it must be a reading of numbers, named once"),
    (detecting, (*HEALTH, "stuck"), True, "readings[0].stuck is True; it must be a number of readings, 0 for no limit"),
    (detecting, (*HEALTH, "jump"), -1.0, "readings[0].jump is -1.0; it must not be negative"),
    (detecting, ("sections", "estimate/1"), {**ESTIMATE, "mean": [0.0] * 2}, "mean has 2 entries; it must have 3"),
    (detecting, ("sections", "estimate/1"), {**ESTIMATE, "residual": [1.0, -1.0, 1.0]}, "residual[1] is -1.0; it must not be negative"),
    (detecting, ("sections", "estimate/1"), {**ESTIMATE, "loss": [1.0]}, "loss has 1 entries; it must have 9"),
    (detecting, ("sections", "estimate/1"), {**ESTIMATE, "loss": [-1.0] * 9}, "loss[0] is -1.0; it must not be negative"),
    (detecting, ("sections", "estimate/1"), {**ESTIMATE, "inverse": [1.0, 2.0, 1.0, 0.0, 0.0, 1.0]}, "inverse is not positive definite (row 1)"),
    (counting, (*COUNTS, "bits"), 12, "bits is 12; allowed are 8, 16"),
    (counting, (*COUNTS, "link"), {}, "link goes with the link 'logistic', and only with it"),
    (counting, (*COUNTS, "outputs", 0, "bound"), -1.0, "bound is -1.0; it must not be negative"),
    (counting, (*COUNTS, "outputs", 0, "unit"), 0.0, "unit is 0.0; it must be positive"),
    (counting, (*COUNTS, "outputs", 0, "terms", 0, "when"), [[0]], "when is [0]; it holds pairs of an input and a category"),
    (counting, (*COUNTS, "outputs", 0, "terms", 0, "when"), [[0, 0]], "when: input 0 is not categorical, or stands twice"),
    (counting, (*COUNTS, "outputs", 0, "terms", 0), {"coef": 1, "factors": []}, "has neither factors nor 'when'; a constant belongs into the bias"),
    (counting, (*COUNTS, "outputs", 0, "terms", 0, "factors"), [0, 0, 0], "factors has 3 entries; fixed point takes at most two"),
    (counting, (*COUNTS, "outputs", 0, "terms", 0, "shift"), 1, "shift goes with two factors, and only with them"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "way", "value", "message"), REFUSALS, ids=[row[3].split(";")[0] for row in REFUSALS])
def test_refused_by_its_field(make, way, value, message):
    whole = json.loads(dumps(make()))
    whole.pop("file_sha256", None)
    data = copy.deepcopy(whole)
    at = data
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    loads(json.dumps(whole))
    with pytest.raises(ModelFormatError) as refused:
        loads(json.dumps(data), "m.json")
    assert str(refused.value).startswith("m.json: ")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("make", "way", "values"),
    [
        (detecting, (*DETECTOR, "smoothing"), (1.0, 1e-9)), (detecting, (*DETECTOR, "fast"), (0.0, 1.0)), (detecting, (*DETECTOR, "clip"), (0.0,)),
        (detecting, (*DETECTOR, "track"), (0, 4)), (detecting, (*LINE, "score"), (0.0,)), (detecting, (*LINE, "hold"), (0,)),
        (detecting, (*DETECTOR, "adjust"), ({**ADJUST, "eta": 1.0, "floor": 1.0, "cap": 1.0, "freeze": 1, "thaw": 1},)),
        (detecting, (*DRIFT, "readings", 0, "missing"), (0.0, 1.0)), (detecting, (*DRIFT, "page_hinkley", "mean"), (-1.0,)),
        (regression, (*INTERVAL, "supported"), (0.0, 1.0)), (regression, (*INTERVAL, "coverage"), ([0.0, 1.0],)), (regression, (*INTERVAL, "low"), ([2.0],)),
        (regression, (*INTERVAL, "rows", "check"), (0,)), (classifying, (*CASCADE, "low"), (1.0,)), (classifying, (*CASCADE, "rows", "check"), (0,)),
    ],
)  # fmt: skip
def test_taken_at_its_ends(make, way, values):
    for value in values:
        data = json.loads(dumps(make()))
        data.pop("file_sha256", None)
        at = data
        for key in way[:-1]:
            at = at[key]
        at[way[-1]] = value
        loads(json.dumps(data))


@pytest.mark.parametrize(
    ("stream", "place", "change", "message"),
    [
        (("lag", "t", 2), 0, {"low": -32768}, "f[0].low is -32768; in a model that keeps state -32768 means missing"),
        (("lag", "t", 2), 1, {"scale": 0.5}, "f[1].scale is 0.5; it must be that of 't'"),
        (("mean", "t", 2), 1, {"centre": 0.0}, "f[1].centre is 0.0; it must be 20.0"),
        (("difference", "t", 2), 1, {}, "f[1].centre is 20.0; it must be 0.0"),
        (("ewma", "t", 2), 1, {"high": 7}, "f[1].low and high must be those of 't'"),
        (("mean", "t", 16384), 1, {}, "f[1]: fixed point takes means of at most 16383 readings, not 16384"),
    ],
)
def test_integers_of_what_looks_back_are_its_source_s(stream, place, change, message):
    inputs = (Input("t", 0, 20.0, -10.0, 50.0), Input("d", 1, 20.0, -10.0, 50.0, stream=stream))
    model = Model(("t", "d"), inputs, (Output("y", 0.125, (Term(0.5, (Factor(1),)),)),))
    fixed = [{"centre": 20.0, "scale": 0.25, "low": -120, "high": 120} for _ in inputs]
    fixed[place].update(change)
    with pytest.raises(ModelFormatError, match=f"^{re.escape(message)}"):
        validate_streams(fixed, model, "f")
