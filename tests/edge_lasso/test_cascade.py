"""A first stage: thresholds that keep what they promise, verdicts that every target gives alike, rows that go on."""

import csv
import importlib.util
import io
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import beta

from edge_lasso import classify, export, quantize, train, watch
from edge_lasso.commands.main import main
from edge_lasso.detecting.cascade import Promise, cascade
from edge_lasso.errors import DataError
from edge_lasso_devices.build import find_compiler
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import load, predict, save
from edge_lasso_runtime.cascade import KEY, verdict
from edge_lasso_runtime.errors import ModelFormatError
from edge_lasso_runtime.format import from_dict, to_dict
from edge_lasso_runtime.step import start, step

CODES = {"no": -1, "go on": 0, "yes": 1}


def table(rows, seed):
    """One row in ten is a fault, which two noisy sensors tell in part, and a third, dear one, in full."""
    rng = np.random.default_rng(seed)
    fault = rng.random(rows) < 0.1
    t, v = rng.normal(40 + 12 * fault, 4), rng.normal(1 + 0.8 * fault, 0.3)
    return {"t": t, "v": v, "dear": rng.normal(3.0 * fault, 0.2), "state": np.where(fault, "fault", "well")}


@pytest.fixture(scope="module")
def first():
    return classify(pa.table(table(4000, 1)), "state", inputs=["t", "v"]).model


@pytest.fixture(scope="module")
def held_out():
    return table(12_000, 2)


@pytest.fixture(scope="module")
def staged(first, held_out):
    return cascade(first, pa.table(held_out), "state", "fault", Promise(0.02, 0.02))


@pytest.mark.long
def test_thresholds_are_those_of_the_exact_bound_and_hold_on_other_rows(staged, held_out):
    """Of n faults k are on the wrong side: Beta(k + 1, n - k) is at most `miss` with the confidence, k + 1 would not."""
    section = staged.sections[KEY]
    assert section["yes"] == 0  # "fault" is the first class: small predictors speak for it
    half = len(held_out["t"]) // 2
    z = np.array([predict(staged, row).linear[0] for row in zip(held_out["t"], held_out["v"], strict=True)])
    clean = np.array([not predict(staged, r).faults for r in zip(held_out["t"], held_out["v"], strict=True)])
    for wanted, beyond in (("fault", z > section["high"]), ("well", z < section["low"])):
        ours = (np.arange(len(z)) < half) & clean & (held_out["state"] == wanted)
        n, k = int(ours.sum()), int((ours & beyond).sum())
        assert beta.cdf(0.02, k + 1, n - k) >= 0.95 > beta.cdf(0.02, k + 2, n - k - 1)
    for key in ("missed", "false_alarms"):
        count, of = section["found"][key]
        assert count / of <= 0.02
    assert abs(section["goes_on"]["predicted"] - section["goes_on"]["found"]) < 0.03
    on = [
        verdict(staged, predict(staged, row)) == "go on"
        for row in zip(*[held_out[n][half:] for n in "tv"], strict=True)
    ]
    assert section["goes_on"]["found"] == pytest.approx(np.mean(on), abs=1e-12)


def test_the_promise_is_kept_as_often_as_stated():
    """Of 300 first stages, each from 200 faults of its own, at most one in twenty misses more than it promised."""
    rng = np.random.default_rng(7)
    from edge_lasso.detecting.cascade import order_statistic

    k = order_statistic(200, 0.05, 0.95)
    thresholds = np.sort(rng.random((300, 200)), axis=1)[:, k]  # of uniform scores: the part below it
    assert 0.005 < (thresholds > 0.05).mean() <= 0.08
    assert thresholds.mean() > 0.02, "and no more careful than that"


def test_degraded_rows_go_on_and_separate_classes_need_no_second_stage(staged, first):
    assert verdict(staged, predict(staged, {"t": 10.0, "v": None})) == "go on"
    far = table(6000, 3)
    far["t"] = np.where(far["state"] == "fault", 1.0, 0.0) * 20 + 35.0 + np.linspace(0, 1, 6000)
    far["v"] = np.where(far["state"] == "fault", 1.9, 0.9)
    section = cascade(first, pa.table(far), "state", "fault").sections[KEY]
    assert section["low"] == section["high"]
    assert section["goes_on"]["found"] == 0.0


@pytest.mark.needs("cc", "node")
@pytest.mark.parametrize("bits", [None, "int16"])
def test_every_target_that_has_verdicts_gives_the_runtimes(staged, tmp_path, bits):
    model = staged if bits is None else quantize(staged, bits)
    rows = [[t, v] for t in np.linspace(30, 60, 40).tolist() for v in (0.4, 1.2, 2.1)]
    wanted = [CODES[verdict(model, predict(model, row))] for row in rows]
    clean = [not predict(model, row).faults for row in rows]
    assert {-1, 0, 1} <= {code for code, well in zip(wanted, clean, strict=True) if well}
    variants = ["double", "float"] if bits is None else ["fixed"]
    bound = 1e-4 if bits is None else model.sections["fixed_point/1"]["outputs"][0]["bound"]
    section = model.sections[KEY]
    near = [min(abs(predict(model, r).linear[0] - section[end]) for end in ("low", "high")) <= bound for r in rows]

    def same(codes, exact):
        for code, want, well, close in zip(codes, wanted, clean, near, strict=True):
            assert not well or code == want or (close and not exact)

    files = registry.render(model, "python", variants[0])
    (tmp_path / "model.py").write_bytes(files["model.py"])
    spec = importlib.util.spec_from_file_location("staged_model", tmp_path / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    numbers = [module.linear(row) if bits is None else module.predict(module.encode(row)[0]) for row in rows]
    same([module.verdict(z) for z in numbers], bits is None)
    (tmp_path / "model.mjs").write_bytes(registry.render(model, "js", variants[0])["model.mjs"])
    script = (
        f"import * as m from '{tmp_path}/model.mjs'; console.log(JSON.stringify({json.dumps(numbers)}.map(m.verdict)))"
    )
    done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    same(json.loads(done.stdout), bits is None)
    for variant in variants:
        files = registry.render(model, "c", variant)
        for name in ("model.c", "model.h"):
            (tmp_path / name).write_bytes(files[name])
        kind = {"fixed": "int32_t"}.get(variant, variant)
        literal = ", ".join(repr(z) + ("f" if variant == "float" else "") for z in numbers)
        (tmp_path / "main.c").write_text(
            '#include "model.h"\n#include <stdio.h>\n'
            f"int main(void)\n{{\n    static const {kind} z[] = {{{literal}}};\n    int i;\n"
            f'    for (i = 0; i < {len(rows)}; i++) {{\n        printf("%d\\n", model_verdict(z[i]));\n    }}\n    return 0;\n}}\n'
        )
        command = [
            *find_compiler(),
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "main.c",
            "model.c",
            "-o",
            "verdicts",
            "-lm",
        ]
        subprocess.run(command, cwd=tmp_path, check=True)
        done = subprocess.run([str(tmp_path / "verdicts")], capture_output=True, text=True, check=True)
        same(list(map(int, done.stdout.split())), variant == "double")


@pytest.mark.usefixtures("one_runtime_each")
@pytest.mark.needs("cc", "node")
@pytest.mark.parametrize(
    "to", ["python:double", "js:double", "c:double", "c:float", "python:fixed", "js:fixed", "c:fixed"]
)
def test_the_certificate_has_tried_verdicts(staged, tmp_path, monkeypatch, to):
    """At both thresholds, and one number beside them; a verdict that is off by that fails, and so does none."""
    model = quantize(staged, "int16") if to.endswith("fixed") else staged
    execution, *_ = export(model, to, tmp_path).artifacts
    assert (execution.status, "both thresholds" in execution.promised["verdict"]) == ("passed", True)
    module = registry.target(to.partition(":")[0])
    real = module.render

    def changed(how):
        def render(model, options):
            return {
                name: b"\n".join(map(how, data.split(b"\n"))) if name.startswith("model.") else data
                for name, data in real(model, options).items()
            }

        return render

    def loose(line):
        """``z < low`` becomes ``z <= low``."""
        inside = b"return" in line or b"if z" in line
        return line.replace(b"z < ", b"z <= ") if inside else line

    for how in (loose, lambda line: line.replace(b"verdict(", b"opinion(")):
        with monkeypatch.context() as patch:
            patch.setattr(module, "render", changed(how))
            execution, *_ = export(model, to, tmp_path / "broken").artifacts
        assert execution.status == "failed"
        assert "verdict" in execution.reason


def test_targets_without_verdicts_refuse_in_a_line(staged):
    for target in set(registry.modules()) - {"python", "c", "js"}:
        with pytest.raises(
            ExportError, match=rf"target '{target}' has no verdict of a first stage \(cascade/1\); python, c"
        ):
            registry.render(staged, target, "double")


def run(*arguments, data="", status=0):
    command = [sys.executable, "-m", "edge_lasso_runtime", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


def test_rows_that_go_on_go_through_the_second_model(staged, tmp_path):
    heavy = classify(pa.table(table(2000, 4)), "state", inputs=["dear", "t"]).model
    save(staged, tmp_path / "first.json")
    save(heavy, tmp_path / "heavy.json")
    rows = table(200, 5)
    names = ("t", "v", "dear")
    with open(tmp_path / "rows.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([names, *zip(*(rows[name].tolist() for name in names), strict=True)])
    lines = [dict(zip(names, row, strict=True)) for row in zip(*(rows[name].tolist() for name in names), strict=True)]
    verdicts = [verdict(staged, predict(staged, row)) for row in lines]
    assert set(verdicts) == {"no", "yes", "go on"}
    after = [predict(heavy, row).label if said == "go on" else None for said, row in zip(verdicts, lines, strict=True)]
    cascade_option = ("--cascade", tmp_path / "heavy.json")
    printed = list(
        csv.DictReader(io.StringIO(run("predict", tmp_path / "first.json", tmp_path / "rows.csv", *cascade_option)))
    )
    assert [row["verdict"] for row in printed] == verdicts
    assert [row["then label"] or None for row in printed] == after
    for more in ((tmp_path / "rows.csv",), ()):
        data = "" if more else "".join(json.dumps(row) + "\n" for row in lines)
        scored = list(
            map(json.loads, run("score", tmp_path / "first.json", *more, *cascade_option, data=data).splitlines())
        )
        assert [row["verdict"] for row in scored] == verdicts
        assert [row.get("then", {}).get("label") for row in scored] == after
    plain = json.loads(run("score", tmp_path / "first.json", data=json.dumps(lines[0]) + "\n"))
    assert plain["verdict"] == verdicts[0]
    assert "then" not in plain


def test_a_detector_is_a_first_stage_too(tmp_path):
    rng = np.random.default_rng(11)

    def plant(rows, odd=0.0):
        a = rng.normal(0, 1, rows)
        bad = rng.random(rows) < odd
        return {"a": a, "b": 2 * a + rng.normal(0, 0.1, rows) + 1.5 * bad, "what": np.where(bad, "odd", "as usual")}

    normal = {name: column for name, column in plant(6000).items() if name != "what"}
    detector = watch(pa.table(normal), sections=["estimate"]).model
    held = plant(6000, 0.2)
    staged = cascade(detector, pa.table(held), "what", "odd", Promise(0.05, 0.05))
    section = staged.sections[KEY]
    state, said = start(staged), []
    for row in zip(held["a"].tolist(), held["b"].tolist(), strict=True):
        result, state = step(staged, state, row)
        said.append(verdict(staged, result))
    half = len(said) // 2
    assert section["goes_on"]["found"] == pytest.approx(np.mean([text == "go on" for text in said[half:]]))
    assert said.count("yes") > 100
    with pytest.raises(
        DataError, match="--yes is missing: the value of the target in rows that the detector should find"
    ):
        cascade(detector, pa.table(held), "what")
    with pytest.raises(DataError, match="a detector with cascade/1 is not quantized"):
        quantize(staged, "int16")
    assert b"def verdict(z)" in registry.render(staged, "python", "double")["model.py"]


@pytest.mark.long
def test_the_command(first, held_out, tmp_path, capsys):
    save(first, tmp_path / "model.json")
    with open(tmp_path / "held.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([list(held_out), *zip(*held_out.values(), strict=True)])
    arguments = ["cascade", str(tmp_path / "model.json"), str(tmp_path / "held.csv"), "--target", "state"]
    assert main([*arguments, "--yes", "fault", "--out", str(tmp_path / "first.json")]) == 0
    said = capsys.readouterr().out
    assert "missed, at most 0.01 with confidence 0.95: on the second half" in said
    assert "goes on: " in said
    assert load(tmp_path / "first.json").sections[KEY]["miss"] == 0.01
    assert main(["show", str(tmp_path / "first.json")]) == 0
    assert "misses at most 0.01, false alarms at most 0.01 (confidence 0.95)" in capsys.readouterr().out
    for more, why in [
        (["--yes", "faulty"], "--yes 'faulty' is no class of the model; it has fault, well"),
        (["--yes", "fault", "--miss", "0"], "--miss is 0; it is a part, between 0 and 1"),
        (
            ["--yes", "fault", "--miss", "0.0001"],
            "--miss 0.0001 with confidence 0.95 needs 29956 rows with 'fault' in the first half",
        ),
    ]:
        assert main([*arguments, *more, "--out", str(tmp_path / "no.json")]) == 2
        assert why in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "no.json").exists()


def test_what_cannot_be_a_first_stage_is_refused(staged, held_out, tmp_path):
    regression = train(pa.table(held_out), "dear", inputs=["t", "v"]).model
    with pytest.raises(
        DataError, match="a first stage is a classifier of two classes, or a detector; this model is neither"
    ):
        cascade(regression, pa.table(held_out), "state", "fault")
    data = to_dict(staged)
    for key, value, why in [
        ("low", 1e9, r"low is 1000000000\.0, more than high"), ("yes", 2, "yes is 2; allowed: 0, 1"),
        ("miss", 1.5, r"miss is 1\.5; it must be between 0 and 1"), ("rows", {}, "rows.calibration is missing"),
    ]:  # fmt: skip
        section = {**data["sections"][KEY], key: value}
        with pytest.raises(ModelFormatError, match=why):
            from_dict({**data, "sections": {KEY: section}})
    save(regression, tmp_path / "model.json")
    save(staged, tmp_path / "first.json")
    said = run("score", tmp_path / "model.json", "--cascade", tmp_path / "first.json", status=2)
    assert "the first model has no section cascade/1; edge-lasso cascade adds it" in said
