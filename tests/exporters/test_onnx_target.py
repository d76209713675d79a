"""The ONNX target: run in onnxruntime (the newest and 1.16.3), compared with the reference within the proven bound."""

import json
import math

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso_exporters import onnx_target
from edge_lasso_exporters.dense import dense
from edge_lasso_exporters.dense_bounds import box_bound, choose, form
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import model_hash, predict
from edge_lasso_runtime.sessions import load, self_test

VARIANTS = ("float32", "float64")


def session(model, options):
    data = onnx_target.render(model, options)[f"{options.name}.onnx"]
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.log_severity_level = 3
    return onnxruntime.InferenceSession(data, chosen, providers=["CPUExecutionProvider"])


def run(opened, rows, names=("linear",)):
    kind = np.float64 if "double" in opened.get_inputs()[0].type else np.float32
    with np.errstate(over="ignore"):
        return opened.run(list(names), {"x": np.array(rows, dtype=np.float64).astype(kind)})


@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_shape_stays_within_its_bound(shapes, rows_of, ratio_of, variant, inputs):
    for name, model in shapes.items():
        options = Options(variant, inputs)
        rows = rows_of(model, inputs)
        (found,) = run(session(model, options), rows)
        assert ratio_of(found.tolist(), onnx_target, model, options, rows) <= 1.0, name


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32), k=st.integers(1, 200), outputs=st.integers(1, 4), products=st.integers(0, 5),
    categories=st.integers(0, 2), policy=st.sampled_from(["extrapolate", "clamp"]),
    link=st.sampled_from(["identity", "logistic", "softmax"]), variant=st.sampled_from(VARIANTS),
    inputs=st.sampled_from(["selected", "all"]), offsets=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
)  # fmt: skip
@pytest.mark.long
def test_no_value_is_outside_its_bound(
    make, rows_of, ratio_of, seed, k, outputs, products, categories, policy, link, variant, inputs, offsets
):
    outputs = {"logistic": 1, "softmax": max(outputs, 2), "identity": outputs}[link]
    model = make(seed, k, outputs, link, policy, products, categories, (-9, 6), offsets)
    options = Options(variant, inputs)
    rows = rows_of(model, inputs, 10, seed)
    (found,) = run(session(model, options), rows)
    assert ratio_of(found.tolist(), onnx_target, model, options, rows) <= 1.0


def test_the_bound_is_tight_enough_to_see_one_weight_off_by_a_percent(make, rows_of, ratio_of):
    model = make(seed=11, k=10)
    output = model.outputs[0]
    first = output.terms[0].replace(coef=output.terms[0].coef * 1.01)
    wrong = model.replace(outputs=(output.replace(terms=(first, *output.terms[1:])),))
    options = Options("float32")
    rows = rows_of(model)
    (found,) = run(session(wrong, options), rows)
    assert ratio_of(found.tolist(), onnx_target, model, options, rows) > 100.0


def test_unread_columns_are_never_looked_at(make, rows_of):
    model = make(seed=12, k=3)
    opened = session(model, Options("float32", "all"))
    rows = [[math.nan] * len(model.columns) for _ in range(4)]
    for row in rows:
        for one in model.inputs:
            row[one.column] = one.low
    quiet = [[0.0 if x != x else x for x in row] for row in rows]
    assert np.array_equal(run(opened, rows)[0], run(opened, quiet)[0])


def test_large_offsets_are_centred_and_small_ones_are_not(make):
    near, far = make(seed=13, k=6, offsets=3.0), make(seed=13, k=6, offsets=1e6)
    operators = [
        [
            node.op_type
            for node in onnx.load_from_string(onnx_target.render(m, Options("float32"))["model.onnx"]).graph.node
        ]
        for m in (near, far)
    ]
    assert "Sub" not in operators[0]
    assert "Sub" in operators[1]
    plan = dense(far)
    assert np.all(box_bound(choose(plan, "float32")) < box_bound(form(plan, "float32")))


def test_the_promise_says_when_float32_readings_cost_too_much(make):
    far = make(seed=13, k=6, offsets=1e6)
    assert "rounding the readings to float32" in onnx_target.promise(far, Options("float32"))["text"]
    assert "rounding the readings" not in onnx_target.promise(far, Options("float64"))["text"]
    assert "rounding the readings" not in onnx_target.promise(make(seed=13, k=6), Options("float32"))["text"]


def test_classifiers_have_the_outputs_that_converters_of_scikit_learn_give(shapes, rows_of):
    for name in ("logistic", "softmax"):
        model = shapes[name]
        opened = session(model, Options("float64"))
        assert [one.name for one in opened.get_outputs()] == ["label", "probabilities", "linear"]
        rows = rows_of(model, missing=False)
        labels, probabilities = run(opened, rows, ("label", "probabilities"))
        wanted = [predict(model, row) for row in rows]
        assert probabilities.shape == (len(rows), len(model.classes))
        assert labels.tolist() == [one.label for one in wanted]
        columns = probabilities[:, 1:] if name == "logistic" else probabilities
        # onnxruntime's logistic is exact in absolute terms only: a probability of 1e-20 is 0
        assert np.allclose(columns, [one.values for one in wanted], rtol=1e-12, atol=1e-12)
        assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-12)


def test_probabilities_are_never_nan(shapes, rows_of):
    for name in ("logistic", "softmax"):
        for variant in VARIANTS:
            probabilities = run(session(shapes[name], Options(variant)), rows_of(shapes[name]), ("probabilities",))[0]
            assert np.all((probabilities >= 0.0) & (probabilities <= 1.0))


def test_integer_classes_give_integer_labels(make):
    model = make(link="logistic").replace(classes=("0", "1"))
    opened = session(model, Options("float32"))
    assert opened.get_outputs()[0].type == "tensor(int64)"
    row = [one.default for one in model.inputs]
    assert str(run(opened, [row], ("label",))[0][0]) == predict(model, row).label
    assert session(model.replace(classes=("00", "1")), Options("float32")).get_outputs()[0].type == "tensor(string)"


def test_a_model_without_inputs_is_a_constant(make):
    model = make(k=1)
    constant = model.replace(inputs=(), outputs=(model.outputs[0].replace(terms=()),))
    for inputs, width in (("selected", 0), ("all", len(model.columns))):
        opened = session(constant, Options("float32", inputs))
        found = run(opened, np.full((3, width), math.nan))[0]
        assert found.tolist() == [[np.float32(constant.outputs[0].intercept)]] * 3


def test_a_product_that_would_overflow_float32_is_scaled_down(make):
    model = make(seed=14, k=2, products=3, weights=(-30, -25))
    limit = model.limit
    assert limit**2 > 2.0**128
    opened = session(model, Options("float32"))
    found = run(opened, [[limit, limit], [limit / 2, -limit]])[0]
    assert np.all(np.isfinite(found))
    wanted = [predict(model, row).linear for row in ([limit, limit], [limit / 2, -limit])]
    assert np.allclose(found, wanted, rtol=1e-5)


def test_the_file_is_small_valid_and_says_what_it_is(make):
    model = make(seed=15, k=9, extra=82)
    data = onnx_target.render(model, Options("float32", "all", "air"))
    assert list(data) == ["air.onnx"]
    assert data == onnx_target.render(model, Options("float32", "all", "air"))
    graph = onnx.load_from_string(data["air.onnx"])
    onnx.checker.check_model(graph, full_check=True)
    assert (graph.ir_version, graph.opset_import[0].version) == (7, 13)
    facts = {one.key: one.value for one in graph.metadata_props}
    assert facts["model_hash"] == model_hash(model)
    assert facts["handles_missing"] == "true"
    first = model.inputs[1]
    assert json.loads(facts["inputs"])[1] == {
        "name": "column 2", "column": 2, "unit": "V", "default": first.default, "low": first.low, "high": first.high,
    }  # fmt: skip
    assert facts["columns"] == str(len(model.columns))
    assert all(len(one["row"]) == len(model.inputs) for one in json.loads(facts["self_test"]))
    assert len(json.loads(facts["self_test"])) >= 4
    del graph.metadata_props[:]
    assert len(graph.SerializeToString()) < 600


def test_the_self_test_passes_in_a_session(shapes, write):
    for model in shapes.values():
        with load("onnx", write(model, "onnx", "float32", "all")) as opened:
            count, failures = self_test(opened)
            assert (count > 0, failures) == (True, [])
            assert opened.model_hash == model_hash(model)


def test_names_do_not_break_the_metadata(make):
    model = make(k=1)
    odd = 'a"\\\n*/\u00fc\u2028'
    model = model.replace(columns=(odd, *model.columns[1:]), inputs=(model.inputs[0].replace(name=odd, unit=odd),))
    facts = session(model, Options("float32")).get_modelmeta().custom_metadata_map
    assert json.loads(facts["inputs"])[0]["name"] == odd


def test_an_unknown_variant_is_refused_by_name(make):
    with pytest.raises(ExportError, match="onnx has no variant 'int8'; it has float32, float64"):
        onnx_target.render(make(), Options("int8"))


@pytest.mark.needs("onnxruntime-1.16")
def test_onnxruntime_1_16_runs_every_shape(shapes, rows_of, ratio_of, write, elsewhere):
    cases = [(m, v, i) for m in shapes.values() for v in VARIANTS for i in ("selected", "all")]
    jobs = [{"kind": "onnx", "folder": str(write(m, "onnx", v, i)), "rows": rows_of(m, i)} for m, v, i in cases]
    results = elsewhere("EDGE_LASSO_OLD_ONNXRUNTIME_PYTHON", jobs)
    for (model, variant, inputs), job, result in zip(cases, jobs, results, strict=True):
        assert result.get("runtime") == "onnxruntime 1.16.3", result
        assert ratio_of(result["linear"], onnx_target, model, Options(variant, inputs), job["rows"]) <= 1.0


@pytest.mark.parametrize("inputs", ["selected", "all"])
def test_the_caller_may_replace_missing_readings(shapes, rows_of, ratio_of, inputs):
    for name, model in shapes.items():
        options = Options("float32", inputs, missing="caller")
        rows = rows_of(model, inputs, missing=False)
        if inputs == "all":  # what is not read may be anything
            rows = [[x if x == x and abs(x) <= model.limit else 0.0 for x in row] for row in rows]
        (found,) = run(session(model, options), rows)
        assert ratio_of(found.tolist(), onnx_target, model, options, rows) <= 1.0, name
        data = onnx_target.render(model, options)["model.onnx"]
        assert len(data) < len(onnx_target.render(model, Options("float32", inputs))["model.onnx"])
        assert {node.op_type for node in onnx.load_from_string(data).graph.node}.isdisjoint({"Where", "Abs"})
