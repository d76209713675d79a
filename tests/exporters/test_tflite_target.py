"""The TFLite target: run in LiteRT, tflite-runtime 2.14 and TFLite Micro, compared within the promised bounds."""

import json
import math

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso_exporters import registry, tflite_integers, tflite_quantize, tflite_target
from edge_lasso_exporters.dense import dense
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import model_hash, predict
from edge_lasso_runtime.sessions import load, self_test

FLOAT_IN = ("float32", "float16", "dynamic", "int8", "int16x8")


def render(model, options):
    return tflite_target.render(model, options)[f"{options.name}.tflite"]


def run(data, rows, name="linear"):
    interpreter = Interpreter(model_content=data, num_threads=1)
    source = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(source["index"], [len(rows), len(rows[0])], strict=True)
    interpreter.allocate_tensors()
    with np.errstate(over="ignore"):
        interpreter.set_tensor(source["index"], np.array(rows, dtype=np.float64).astype(np.float32))
    interpreter.invoke()
    (position,) = [one["index"] for one in interpreter.get_output_details() if one["name"] == name]
    return interpreter.get_tensor(position).tolist()


def integer_rows(model, rows_of, inputs="selected"):
    """Rows that the caller of an integer artifact may give: what is missing is replaced."""
    return rows_of(model, inputs, missing=False)


def expressible(model, variant):
    try:
        tflite_quantize.quantized(dense(model), variant)
    except ExportError:
        return False
    return True


@pytest.mark.parametrize("inputs", ["selected", "all"])
@pytest.mark.parametrize("variant", FLOAT_IN)
def test_every_shape_stays_within_what_is_promised(shapes, rows_of, ratio_of, variant, inputs):
    for name, model in shapes.items():
        options = Options(variant, inputs)
        rows = rows_of(model, inputs)
        found = run(render(model, options), rows)
        assert ratio_of(found, tflite_target, model, options, rows) <= 1.0, name


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32), k=st.integers(1, 200), outputs=st.integers(1, 4), products=st.integers(0, 5),
    categories=st.integers(0, 2), policy=st.sampled_from(["extrapolate", "clamp"]),
    link=st.sampled_from(["identity", "logistic", "softmax"]), variant=st.sampled_from(FLOAT_IN),
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
    assert ratio_of(run(render(model, options), rows), tflite_target, model, options, rows) <= 1.0


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32), k=st.integers(1, 100), outputs=st.integers(1, 3), products=st.integers(0, 3),
    variant=st.sampled_from(["float32", "float16", "dynamic", "int8", "int16x8"]),
    offsets=st.sampled_from([0.0, 1e3, 1e6]), spread=st.sampled_from([(-1, 1), (-9, 6)]),
)  # fmt: skip
def test_the_worst_case_over_the_ranges_holds(make, rows_of, seed, k, outputs, products, variant, offsets, spread):
    model = make(seed, k, outputs, products=products, weights=spread, offsets=offsets)
    options = Options(variant)
    rows = rows_of(model, count=30, seed=seed, missing=False)[:33]  # the last are outside
    bound = tflite_target.promise(model, options)["bound"]
    found = np.array(run(render(model, options), rows))
    assert np.max(np.abs(found - [predict(model, row).linear for row in rows])) <= bound


def test_one_weight_off_by_a_percent_is_seen(make, rows_of, ratio_of):
    model = make(seed=11, k=3)
    output = model.outputs[0]
    for variant, factor in (("float32", 1.01), ("float16", 1.01), ("dynamic", 1.3), ("int8", 1.3), ("int16x8", 1.01)):
        first = output.terms[0].replace(coef=output.terms[0].coef * factor)
        wrong = model.replace(outputs=(output.replace(terms=(first, *output.terms[1:])),))
        rows = rows_of(model, missing=False)
        found = run(render(wrong, Options(variant)), rows)
        assert ratio_of(found, tflite_target, model, Options(variant), rows) > 1.0, variant


def test_unread_columns_are_never_looked_at(make):
    model = make(seed=12, k=3)
    rows = [[math.nan] * len(model.columns) for _ in range(4)]
    for row in rows:
        for one in model.inputs:
            row[one.column] = one.low
    quiet = [[0.0 if x != x else x for x in row] for row in rows]
    for variant in FLOAT_IN:
        data = render(model, Options(variant, "all"))
        assert run(data, rows) == run(data, quiet)


def test_single_outputs_lose_nothing_to_the_rounding_of_weights(make, rows_of):
    """Small coefficients beside large ones keep their effect: their term's scale carries what int8 cannot."""
    model = make(seed=16, k=12, weights=(-2, 0))
    made = tflite_quantize.quantized(dense(model), "int16x8")
    exact = np.array([float(w) for w in made.plan.weights[0]])
    assert np.allclose(made.kept[0] * made.scale, exact, rtol=2.0**-23)
    rows = rows_of(model, count=200, missing=False)[:200]
    wanted = np.array([predict(model, row).linear for row in rows])
    error = np.array(run(render(model, Options("int16x8")), rows)) - wanted
    assert np.sqrt(np.mean(error**2)) < 2e-4 * np.std(wanted)


def test_small_outputs_are_not_ruined_by_large_ones(make, rows_of, ratio_of):
    model = make(seed=17, k=4, outputs=3)
    scaled = tuple(
        one.replace(intercept=one.intercept * f, terms=tuple(t.replace(coef=t.coef * f) for t in one.terms))
        for one, f in zip(model.outputs, (1e-4, 1.0, 1e4), strict=True)
    )
    model = model.replace(outputs=scaled)
    rows = rows_of(model, count=300, missing=False)[:300]
    wanted = np.array([predict(model, row).linear for row in rows])
    for variant, share in (("dynamic", 0.03), ("int8", 0.03), ("int16x8", 0.01), ("float16", 0.002)):
        found = run(render(model, Options(variant)), rows)
        assert ratio_of(found, tflite_target, model, Options(variant), rows) <= 1.0
        error = np.array(found) - wanted
        assert np.all(np.sqrt(np.mean(error**2, axis=0)) < share * np.std(wanted, axis=0)), variant


def test_raw_units_do_not_ruin_int8(make, rows_of):
    model = make(seed=18, k=6, offsets=1e3)
    rows = rows_of(model, count=300, missing=False)[:300]
    wanted = np.array([predict(model, row).linear for row in rows])
    for variant in ("dynamic", "int8"):
        error = np.array(run(render(model, Options(variant)), rows)) - wanted
        assert np.sqrt(np.mean(error**2)) < 0.03 * np.std(wanted), variant


def test_integers_in_and_out(shapes, rows_of, ratio_of, write, make):
    cases = [m for m in shapes.values() if expressible(m, "int8io")]
    cases += [make(seed=s, k=5, link="logistic", offsets=10.0 * s) for s in range(3)]
    assert len(cases) >= 6
    for model in cases:
        for inputs in ("selected", "all"):
            rows = integer_rows(model, rows_of, inputs)
            with load("tflite", write(model, "tflite", "int8io", inputs)) as opened:
                assert opened.input["dtype"] is np.int8
                assert not opened.artifact.handles_missing
                found, values = opened.linear(rows), opened.predict(rows)
                assert self_test(opened)[1] == []
            assert ratio_of(found, tflite_target, model, Options("int8io", inputs), rows) <= 1.0
            if model.classes:
                wanted = 1.0 / (1.0 + np.exp(-np.clip(np.array(found), -500, 500)))
                assert np.max(np.abs(np.array(values) - wanted)) <= 2.0 / 256.0


def test_int8io_refuses_what_integers_cannot_say(shapes):
    for name, reason in (
        ("products", "single numeric inputs"),
        ("categories", "numeric inputs"),
        ("softmax", "int8io"),
    ):
        with pytest.raises(ExportError, match=reason):
            render(shapes[name], Options("int8io"))


def test_probabilities_follow_and_are_never_nan(shapes, rows_of):
    for name, output in (("logistic", "probability"), ("softmax", "probabilities")):
        model = shapes[name]
        rows = rows_of(model)
        found = np.array(run(render(model, Options("float32")), rows, output))
        wanted = [predict(model, row).values for row in rows]
        bounds = np.array(tflite_target.expected(model, Options("float32"), rows)[1])
        assert np.all(np.abs(found - wanted) <= np.max(bounds, axis=1, keepdims=True) + 1e-6)
        for variant in FLOAT_IN:
            assert np.all(np.isfinite(run(render(model, Options(variant)), rows, output)))


def test_the_file_reads_back_as_the_schema_says(make):
    model = make(seed=15, k=4, link="logistic")
    for variant in tflite_target.VARIANTS:
        for inputs in ("selected", "all"):
            data = render(model, Options(variant, inputs, "air"))
            assert data == render(model, Options(variant, inputs, "air"))
            assert data[4:8] == b"TFL3"
            check_file(data, model, inputs)


def check_file(data, model, inputs):
    read = schema.ModelT.InitFromPackedBuf(data, 0)
    (graph,) = read.subgraphs
    assert read.version == 3
    assert read.buffers[0].data is None
    for buffer in range(1, len(read.buffers)):
        held = schema.Model.GetRootAs(data, 0).Buffers(buffer)
        start = held._tab.Vector(held._tab.Offset(4))
        assert start % 16 == 0
    width = len(model.inputs) if inputs == "selected" else len(model.columns)
    source = graph.tensors[graph.inputs[0]]
    assert (list(source.shape), list(source.shapeSignature)) == ([1, width], [-1, width])
    assert all(-1 not in tensor.shape for tensor in graph.tensors)
    assert all(code.deprecatedBuiltinCode == code.builtinCode for code in read.operatorCodes)
    signature = read.signatureDefs[0]
    assert signature.signatureKey == b"serving_default"
    assert {one.name for one in signature.outputs} == {b"linear", b"probability"}
    entries = {one.name: bytes(read.buffers[one.buffer].data) for one in read.metadata}
    oldest = entries[b"min_runtime_version"]
    assert len(oldest) == 16
    assert oldest.rstrip(b"\0") in (b"1.14.0", b"2.2.0", b"2.3.0")
    facts = json.loads(entries[b"edge_lasso"])
    assert facts["model_hash"] == model_hash(model)
    assert facts["classes"] == '["class 0","class 1"]'


def test_files_are_small(make):
    model = make(seed=15, k=9, extra=82)
    sizes = {v: len(render(model, Options(v))) for v in tflite_target.VARIANTS}
    facts = len(json.dumps(schema_facts(render(model, Options("float32")))))
    assert sizes["float32"] - facts < 1500


def schema_facts(data):
    read = schema.ModelT.InitFromPackedBuf(data, 0)
    (entry,) = [one for one in read.metadata if one.name == b"edge_lasso"]
    return json.loads(bytes(read.buffers[entry.buffer].data))


@pytest.mark.long
def test_the_self_test_passes_in_a_session(shapes, write):
    for model in shapes.values():
        for variant in FLOAT_IN:
            with load("tflite", write(model, "tflite", variant, "all")) as opened:
                count, failures = self_test(opened)
                assert (count > 0, failures) == (True, [])


def test_what_cannot_be_expressed_is_refused(make):
    model = make(k=1)
    with pytest.raises(ExportError, match="tflite has no variant 'int4'; it has float32"):
        render(model, Options("int4"))
    constant = model.replace(inputs=(), outputs=(model.outputs[0].replace(terms=()),))
    with pytest.raises(ExportError, match="a model without inputs; export it to python, c or onnx"):
        render(constant, Options("float32"))


@pytest.mark.needs("tflite-runtime")
def test_tflite_runtime_runs_every_shape(shapes, rows_of, ratio_of, write, elsewhere):
    run_elsewhere("tflite", "tflite-runtime 2.14.0", shapes, rows_of, ratio_of, write, elsewhere, FLOAT_IN)


@pytest.mark.needs("tflite-micro")
def test_tflite_micro_runs_what_microcontrollers_run(shapes, rows_of, ratio_of, write, elsewhere):
    run_elsewhere(
        "tflite-micro", "tflite-micro", shapes, rows_of, ratio_of, write, elsewhere, ("float32", "int8", "int16x8")
    )


def run_elsewhere(kind, runtime, shapes, rows_of, ratio_of, write, elsewhere, variants):
    cases = [(m, v, i) for m in shapes.values() for v in variants for i in ("selected", "all")]
    cases += [(m, "int8io", i) for m in shapes.values() if expressible(m, "int8io") for i in ("selected", "all")]
    jobs = []
    for model, variant, inputs in cases:
        rows = integer_rows(model, rows_of, inputs) if variant == "int8io" else rows_of(model, inputs)
        folder = str(write(model, "tflite", variant, inputs))
        jobs.append({"kind": kind, "folder": folder, "rows": rows, "tensors": 2 if model.classes else 1})
    for (model, variant, inputs), job, result in zip(
        cases, jobs, elsewhere("EDGE_LASSO_TFLITE_RUNTIME_PYTHON", jobs), strict=True
    ):
        assert result.get("runtime") == runtime, (variant, inputs, result)
        ratio = ratio_of(result["linear"], tflite_target, model, Options(variant, inputs), job["rows"])
        assert ratio <= 1.0, (variant, inputs)
        assert np.all(np.isfinite(result["values"]))


def test_requantization_is_that_of_the_reference_kernels():
    """Against the definition in exact integers: a rounding doubling high product, then a rounding shift."""
    values = np.array([0, 1, -1, 5, -5, 1000, -1000, 2**20 + 1, -(2**20) - 1, 2**30, -(2**30)])
    for gain in (2.0**-7, 0.3, 0.011, 0.99, 2.0**-20):
        multiplier, shift = tflite_integers.quantize_multiplier(gain)
        assert multiplier * 2.0 ** (shift - 31) == pytest.approx(gain, rel=2.0**-30)
        for value, found in zip(
            values.tolist(), tflite_integers.multiply_int32(values, multiplier, shift).tolist(), strict=True
        ):
            assert abs(found - value * gain) <= 0.75 + abs(value * gain) * 2.0**-30
        for value, found in zip(
            values.tolist(), tflite_integers.multiply_int64(values, multiplier, shift).tolist(), strict=True
        ):
            assert abs(found - value * gain) <= 0.75 + abs(value * gain) * 2.0**-15


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32), k=st.integers(1, 200), outputs=st.integers(1, 3),
    link=st.sampled_from(["identity", "logistic"]), offsets=st.sampled_from([0.0, 1e3, 1e6]),
    spread=st.sampled_from([(-1, 1), (-9, 6)]), inputs=st.sampled_from(["selected", "all"]),
)  # fmt: skip
@pytest.mark.long
def test_integer_artifacts_stay_within_a_step_and_their_worst_case(
    make, rows_of, ratio_of, tmp_path_factory, seed, k, outputs, link, offsets, spread, inputs
):
    model = make(seed, k, 1 if link == "logistic" else outputs, link, weights=spread, offsets=offsets)
    options = Options("int8io", inputs)
    folder = tmp_path_factory.mktemp("int8io")
    for name, data in registry.render(model, "tflite", "int8io", inputs).items():
        (folder / name).write_bytes(data)
    rows = integer_rows(model, rows_of, inputs)
    with load("tflite", folder) as opened:
        found = opened.linear(rows)
    assert ratio_of(found, tflite_target, model, options, rows) <= 1.0
    places = [i if inputs == "selected" else one.column for i, one in enumerate(model.inputs)]
    wanted = [predict(model, [row[i] for i in places]).linear for row in rows[:23]]
    assert np.max(np.abs(np.array(found[:23]) - wanted)) <= tflite_target.promise(model, options)["bound"]


def test_with_the_caller_replacing_what_is_missing_ten_inputs_of_a_hundred_take_1104_bytes(make, monkeypatch):
    """Tensors and graph; the description of the model, which comes on top, is as long as its names."""
    monkeypatch.setattr(tflite_target, "facts", lambda *_: {})
    model = make(seed=11, k=10, extra=80)
    sizes = [
        len(tflite_target.render(model, Options("float32", "all", missing=who))["model.tflite"])
        for who in ("caller", "artifact")
    ]
    assert sizes[0] <= 1104 < sizes[1]
