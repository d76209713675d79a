"""Model files: round trips, and every hostile file ends in one named error."""

import copy
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso_runtime import (
    Factor,
    Input,
    Model,
    ModelFormatError,
    Output,
    Term,
    dumps,
    load,
    loads,
    model_hash,
    predict,
    save,
)


def model():
    inputs = (Input("a", 0, 1.0, 0.0, 2.0, "K"), Input("c", 2, None, None, None, categories=("x", "y")))
    terms = (Term(2.0, (Factor(0),)), Term(-1.5, (Factor(0), Factor(0))), Term(0.25, (Factor(1, 1),)))
    return Model(("a", "b", "c"), inputs, (Output("y", 0.5, terms),), provenance={"rows": 3, "x": {"z": [1, None]}})


def refuses(text):
    with pytest.raises(ModelFormatError) as caught:
        loads(text, "m.json")
    message = str(caught.value)
    assert message.startswith("m.json")
    assert "\n" not in message
    assert len(message) < 500
    return message


def test_round_trip(tmp_path):
    save(model(), tmp_path / "m.json")
    assert load(tmp_path / "m.json") == model()
    assert loads(dumps(model())) == model()
    assert dumps(loads(dumps(model()))) == dumps(model())
    assert list(tmp_path.iterdir()) == [tmp_path / "m.json"]


def test_hash_is_of_what_is_computed():
    changed = model().replace(provenance={"rows": 4})
    assert model_hash(changed) == model_hash(model())
    assert model_hash(model().replace(policy="clamp")) != model_hash(model())
    assert model_hash(model().replace(sections={"x-note": {"a": 1}})) == model_hash(model())


finite = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=200)
@given(st.lists(st.tuples(finite, finite, st.floats(0.0, 1e6)), min_size=1, max_size=8), finite)
def test_any_model_survives_its_file(rows, intercept):
    inputs = tuple(Input(f"s{i}", i, low + width / 2, low, low + width) for i, (_, low, width) in enumerate(rows))
    terms = tuple(Term(coef, (Factor(i),)) for i, (coef, _, _) in enumerate(rows))
    made = Model(tuple(one.name for one in inputs), inputs, (Output("y", intercept, terms),))
    again = loads(dumps(made))
    assert again == made
    row = [one.default for one in inputs]
    assert predict(again, row).linear == predict(made, row).linear


def places(data, path=()):
    """Every place in parsed JSON."""
    yield path
    if isinstance(data, dict):
        for key, value in data.items():
            yield from places(value, (*path, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from places(value, (*path, i))


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**30), st.floats(allow_nan=True), st.text(max_size=5),
    st.lists(st.integers(), max_size=3), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([1e308, -1e308, "\0", 2**2000]),
)  # fmt: skip


@settings(max_examples=600)
@given(st.integers(0, 10**6), JUNK)
def test_junk_anywhere(seed, junk):
    data = json.loads(dumps(model()))
    where = random.Random(seed).choice(list(places(data))[1:])
    target = data
    for key in where[:-1]:
        target = target[key]
    target[where[-1]] = junk
    try:
        made = loads(json.dumps(data), "m.json")
    except ModelFormatError:
        return
    value = predict(made, [1.0] * len(made.inputs)).linear[0]  # what is accepted is whole, and computes
    assert value == value


@settings(max_examples=300)
@given(st.text())
def test_any_text(text):
    with pytest.raises(ModelFormatError):
        loads(text)


@pytest.mark.parametrize("end", range(0, 700, 7))
def test_truncations(end):
    text = dumps(model())
    if end < len(text) - 1:
        refuses(text[:end])


def change(**changes):
    data = json.loads(dumps(model()))
    data.update(changes)
    return json.dumps(data)


def term(key, value):
    data = json.loads(dumps(model()))
    data["outputs"][0]["terms"][1][key] = value
    return json.dumps(data)


@pytest.mark.parametrize(("text", "message"), [
    (change(format="edge-lasso-model/9"), "format is 'edge-lasso-model/9'; this version reads 'edge-lasso-model/1'"),
    ("[]", "'format' is missing"),
    (change(extra=1), "extra is unknown"),
    (change(sections={"magic/1": {}}), "section 'magic/1' is unknown"),
    (term("coef", float("nan")), "NaN is not allowed; numbers must be finite"),
    (term("coef", True), "outputs[0].terms[1].coef is True; it must be a number"),
    (term("coef", 10**400), "outputs[0].terms[1].coef is inf; it must be finite"),
    (term("coef", "2"), "outputs[0].terms[1].coef is '2'; it must be a number"),
    (term("coef", 1e308), "overflow float32"),
    (term("factors", [7]), "outputs[0].terms[1].factors[0] is 7; inputs has 2 entries, counted from 0"),
    (term("factors", [1]), "uses the categorical input 'c' as a number"),
    (term("factors", []), "a term has 1 to 8"),
    (term("factors", [{"input": 1, "equals": "z"}]), "which is not a category of its input"),
    (change(policy="guess"), "policy is 'guess'; allowed are extrapolate, clamp"),
    (change(columns=["a", "a", "c"]), "columns[1] repeats the name 'a'"),
    ('{"format": "edge-lasso-model/1", "format": "x"}', "key 'format' stands twice in one object"),
    ('{"format": ' + "[" * 100_000, "m.json"),
    ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    ('{"format": ' + "9" * 5000 + "}", "m.json"),
    ("\ufeff{}", "m.json"),
])  # fmt: skip
def test_messages(text, message):
    assert message in refuses(text)


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "m.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelFormatError, match=r"m\.json is not UTF-8 text"):
        load(tmp_path / "m.json")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")


def test_a_huge_file(tmp_path):
    with open(tmp_path / "m.json", "wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(ModelFormatError, match="larger than 16 MB"):
        load(tmp_path / "m.json")


def test_saving_a_broken_model_leaves_the_old_file(tmp_path):
    save(model(), tmp_path / "m.json")
    broken = copy.copy(model()).replace(policy="guess")
    with pytest.raises(ModelFormatError):
        save(broken, tmp_path / "m.json")
    assert load(tmp_path / "m.json") == model()


@pytest.mark.parametrize("reading", [None, float("nan"), float("inf"), -float("inf"), 1e300, "x", 10**400])
def test_missing_readings_take_the_default(reading):
    found = predict(model(), [reading, 1])
    assert found.linear == predict(model(), [1.0, 1]).linear
    assert found.status == "degraded"
    assert found.faults == {"a": "missing"}


def test_policies_and_mappings():
    assert predict(model(), [3.0, 0]).faults == {"a": "out of range"}
    assert predict(model(), [3.0, 0]).linear == [0.5 + 2.0 * 3.0 + -1.5 * 3.0 * 3.0 + 0.0]
    clamped = model().replace(policy="clamp")
    assert predict(clamped, [3.0, 0]).linear == predict(model(), [2.0, 0]).linear
    assert predict(model(), {"a": 1.0, "c": "y"}).linear == predict(model(), [1.0, 1]).linear
    assert predict(model(), {"c": "green"}).faults == {"a": "missing", "c": "missing"}
    with pytest.raises(ValueError, match="a row has 2 values"):
        predict(model(), [1.0])


def test_half_a_surrogate_pair_is_refused():
    text = dumps(model()).replace('"K"', '"\\ud800"')
    assert "inputs[0].unit is '\\ud800'; half of a surrogate pair is not text" in refuses(text)


def test_a_repeated_key_among_many_is_found_at_once():
    keys = ", ".join(f'"k{i}": 0' for i in range(200_000))
    assert "key 'k199999' stands twice" in refuses('{"provenance": {' + keys + ', "k199999": 1}}')


@pytest.mark.long
def test_a_model_with_many_terms_loads_quickly():
    terms = tuple(Term(1e30, (Factor(0),)) for _ in range(50_000))
    many = model().replace(outputs=(Output("y", 0.0, terms),))
    assert loads(dumps(many)) == many


def test_quantized_models_survive_and_their_integers_are_part_of_the_hash():
    from edge_lasso.compressing.quantize import quantize

    plain = model().replace(outputs=(Output("y", 0.5, (Term(2.0, (Factor(0),)), Term(1.0, (Factor(1, 1),)))),))
    fixed = quantize(plain, margin=0.0)
    assert loads(dumps(fixed)) == fixed
    assert model_hash(fixed) != model_hash(plain)
    data = json.loads(dumps(fixed))
    data["sections"]["fixed_point/1"]["outputs"][0]["bias"] = "1"
    assert "sections['fixed_point/1'].outputs[0].bias is '1'; it must be a whole number" in refuses(json.dumps(data))
