"""`boards`, `bench --board` and `deploy` as a user types them, on emulated cores and a loopback sshd."""

import json
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from edge_lasso.commands.main import main
from edge_lasso.compressing.quantize import quantize
from edge_lasso.detecting.fit_detector import DetectorOptions
from edge_lasso.detecting.train_detector import train_detector
from edge_lasso.measuring.bench import bench, rendered
from edge_lasso.measuring.measurement import runtime_files
from edge_lasso.training.train_table import train_table
from edge_lasso_devices.boards import boards, load_board
from edge_lasso_devices.links import open_link
from edge_lasso_runtime import load, model_hash, save

EMULATORS = ("core:cortex-m33",)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    import pyarrow as pa

    rng = np.random.default_rng(3)
    X = rng.normal(20.0, 5.0, (500, 8))
    columns = {f"s{j}": X[:, j] for j in range(8)}
    columns["y"] = X[:, 0] - 2.0 * X[:, 1] + 0.5 * X[:, 2] + rng.normal(0.0, 0.3, 500)
    folder = tmp_path_factory.mktemp("models")
    model = train_table(pa.table(columns), "y").model
    save(model, folder / "float.json")
    save(quantize(model, "int16"), folder / "int16.json")
    return folder


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_LASSO_BOARDS", str(tmp_path / "boards"))


def run(capsys, *arguments):
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def costs(capsys, tmp_path, model, *arguments):
    file = tmp_path / "costs.json"
    code, out, err = run(capsys, "bench", model, *arguments, "--json", file)
    return code, out, err, json.loads(file.read_text()) if file.exists() else []


def test_every_board_is_listed(capsys):
    code, out, _ = run(capsys, "boards")
    assert code == 0
    assert all(entry.name in out for entry in boards())
    code, out, _ = run(capsys, "boards", "--json")
    assert {entry["name"] for entry in json.loads(out)} == {entry.name for entry in boards()}


def test_a_board_shows_its_sources_and_what_cannot_run(capsys):
    code, out, _ = run(capsys, "boards", "pi-zero-w")
    assert code == 0
    assert "1000" in out
    assert "no: onnxruntime has no wheels for 32-bit ARM" in " ".join(out.split())
    figures = json.loads(run(capsys, "boards", "pi-zero-w", "--json")[1])["figures"]
    assert all(figure["source"] for figure in figures.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("value = 32, source", "value = -32, source"), "clock_mhz"),
        (('source = "me"', 'from = "me"'), "source"),
        (None, "the nearest is 'pico'"),
    ],
)
def test_bad_boards(capsys, tmp_path, change, said):
    name = "picoo"
    if change is not None:
        text = 'base = "pico"\nclock_mhz = { value = 32, source = "me" }\n'
        name = tmp_path / "mine.toml"
        name.write_text(text)
        assert run(capsys, "boards", name)[0] == 0, "a profile of one's own works by its path"
        name.write_text(text.replace(*change))
    code, out, err = run(capsys, "boards", name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


@pytest.mark.needs(*EMULATORS)
def test_counts_are_the_same_on_every_run_and_kinds_never_mix(capsys, tmp_path, models):
    runs = [costs(capsys, tmp_path, models / "int16.json", "--board", "pico-2") for _ in range(2)]
    assert [entry[0] for entry in runs] == [0, 0]
    assert runs[0][3] == runs[1][3]
    emulated = {entry["name"]: entry for entry in runs[0][3] if entry["kind"] == "emulated" and not entry["reason"]}
    modelled = {entry["name"]: entry for entry in runs[0][3] if entry["kind"] == "modelled"}
    assert set(emulated) == set(modelled) == {"c:float", "c:fixed"}
    for name, entry in emulated.items():
        kinds = {key: figure["kind"] for key, figure in entry["figures"].items()}
        assert {kinds[key] for key in ("instructions", "stack_bytes", "flash_bytes", "ram_bytes")} == {"emulated"}
        assert "p50_us" not in kinds
        figure = modelled[name]["figures"]["p50_us"]
        assert figure["kind"] == "modelled"
        assert figure["low"] < figure["value"] < figure["high"]
    flash = {name: entry["figures"]["flash_bytes"]["value"] for name, entry in emulated.items()}
    kernel = emulated["c:fixed"]["figures"]["kernel_flash_bytes"]["value"]
    assert kernel < flash["c:float"]
    assert kernel < flash["c:fixed"] / 2, "readings are made integers, and integers values"


@pytest.mark.needs("core:cortex-m0plus")
def test_without_its_own_emulator_a_pico_is_counted_on_one_that_is_named(capsys, tmp_path, models, programs):
    programs()
    code, _, err, listed = costs(capsys, tmp_path, models / "int16.json", "--board", "pico")
    counted = {(entry["name"], entry["kind"]): entry["figures"] for entry in listed if not entry["reason"]}
    assert code == 0
    assert "in place of rp2040" in counted["c:fixed", "emulated"]["instructions"]["of"]
    assert "cycles" not in counted["c:fixed", "emulated"]
    assert "note: pico was counted by cortex-m0plus in Unicorn" in " ".join(err.split())
    assert " instructions x 1.4 / 125 MHz" in json.dumps(counted["c:fixed", "modelled"])


@pytest.mark.needs("core:avr", *EMULATORS)
def test_of_a_detector_a_row_is_counted_not_a_prediction_alone(capsys, tmp_path):
    """Its chart, health and state are most of what it takes; where a prediction is called, that is said."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(800, 4))
    trained = train_detector(pd.DataFrame(X, columns=list("abcd")), options=DetectorOptions(8))
    model = quantize(trained.model, "int16")
    save(model, tmp_path / "detector.json")
    code, _, _, whole = costs(capsys, tmp_path, tmp_path / "detector.json", "--board", "pico-2")
    assert code == 0
    save(model.replace(sections={"fixed_point/1": model.sections["fixed_point/1"]}), tmp_path / "bare.json")
    _, _, _, bare = costs(capsys, tmp_path, tmp_path / "bare.json", "--board", "pico-2")
    for name in ("c:float", "c:fixed"):
        more, less = (
            next(
                entry["figures"]
                for entry in every
                if (entry["name"], entry["kind"]) == (name, "emulated") and not entry["reason"]
            )
            for every in (whole, bare)
        )
        for key in ("instructions", "flash_bytes", "ram_bytes"):
            assert more[key]["value"] > 2 * less[key]["value"]
    (measured,) = bench(tmp_path / "detector.json", seconds=0.2)
    assert any("keeps state: figures are of a prediction alone" in text for text in measured.warnings)
    (measured,) = bench(tmp_path / "bare.json", seconds=0.2)
    assert not any("keeps state" in text for text in measured.warnings)


@pytest.mark.needs("core:avr")
def test_the_picture_has_every_modelled_time(capsys, tmp_path, models):
    picture = tmp_path / "boards.svg"
    model = models / "int16.json"
    _, _, _, listed = costs(capsys, tmp_path, model, "--board", "arduino-uno", "--picture", picture)
    drawn = ElementTree.parse(picture)
    dots = [entry for entry in drawn.iter() if entry.tag.endswith("circle")]
    assert len(dots) == len([entry for entry in listed if entry["kind"] == "modelled"]) == 2
    words = " ".join(drawn.getroot().itertext())
    assert "modelled" in words
    assert "cycles, emulated" in words
    code, _, err = run(capsys, "bench", model, "--picture", picture)
    assert code == 2
    assert "--picture draws boards" in err


@pytest.mark.needs("avr-gcc", "cc")
def test_budgets_gate(capsys, tmp_path, models):
    code, out, err, _ = costs(
        capsys, tmp_path, models / "int16.json", "--board", "arduino-uno", "--budget", "cycles=50"
    )
    assert code == 1
    assert "MISSED" in out
    assert err == "edge-lasso: error: a budget is missed; see the table above\n"
    budgets = ("--budget", "cycles=100000", "--budget", "flash_bytes=32768", "--budget", "ram_bytes=2048")
    assert costs(capsys, tmp_path, models / "int16.json", "--board", "arduino-uno", *budgets)[0] == 0
    code, _, err, _ = costs(
        capsys, tmp_path, models / "int16.json", "--board", "arduino-uno", "--budget", "flash_byte=1"
    )
    assert code == 2
    assert "did you mean 'flash_bytes'" in err


@pytest.mark.needs("avr-gcc", "cc")
def test_a_model_too_large_for_the_board_is_said(capsys, tmp_path, models):
    profile = tmp_path / "tiny.toml"
    profile.write_text('base = "arduino-uno"\nflash_bytes = { value = 100, source = "a test" }\n')
    code, out, err, _ = costs(capsys, tmp_path, models / "int16.json", "--board", profile)
    assert code == 1
    assert "does not fit" in err
    assert "MISSED" in out


@pytest.mark.slow
@pytest.mark.needs("qemu-x86_64", "cc", "module:ziglang")
def test_the_modelled_time_brackets_what_is_measured_here(capsys, tmp_path, models):
    model = models / "float.json"
    _, _, _, modelled = costs(capsys, tmp_path, model, "--board", "gateway-x86-64")
    assert run(capsys, "export", model, "--to", "python", "--out", tmp_path / "artifacts")[0] == 0
    _, _, _, measured = costs(capsys, tmp_path, tmp_path / "artifacts", "--seconds", "1")
    p50 = measured[0]["figures"]["p50_us"]
    assert p50["kind"] == "measured"
    times = {entry["name"]: entry["figures"]["p50_us"] for entry in modelled if entry["kind"] == "modelled"}
    assert set(times) == {"python:double", "c:float"}
    assert times["python:double"]["low"] < p50["value"] < times["python:double"]["high"]


@pytest.mark.slow
@pytest.mark.needs("qemu-aarch64", "apt-get", "module:onnx", "module:flatbuffers")
@pytest.mark.parametrize("target", ["onnx", "tflite"])
def test_artifacts_pass_on_arm64_in_their_own_runtime(models, target):
    [subject] = rendered(load(models / "float.json"), target)
    with open_link("qemu:arm64") as shell:
        shell.install(target)
        shell.put({**runtime_files(), **{f"artifact/{name}": data for name, data in subject.files.items()}})
        done = shell.run([*shell.python, "-m", "edge_lasso_runtime", "selftest", "artifact"], timeout=120)
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"ok: {target}:float32")
    assert {"onnx": "onnxruntime 1.23.2", "tflite": "tflite-runtime 2.14.0"}[target] in done.stdout


@pytest.mark.slow
@pytest.mark.needs("qemu-x86_64", "cc")
def test_calibrating_replaces_the_published_speed(capsys, tmp_path, models):
    before = load_board("gateway-x86-64").cycles_per_instruction
    arguments = ("--board", "gateway-x86-64", "--calibrate", "--seconds", "1")
    code, out, _, _ = costs(capsys, tmp_path, models / "float.json", *arguments)
    assert code == 0
    assert "cycles an instruction" in out
    after = load_board("gateway-x86-64").cycles_per_instruction
    assert after.source.startswith("measured on ")
    assert after.value != before.value
    code, _, err = run(capsys, "bench", models / "float.json", "--calibrate")
    assert code == 2
    assert "--calibrate needs one --board" in err


@pytest.mark.needs("ssh", "sshd")
def test_deploy_and_roll_back(capsys, tmp_path, models, sshd):
    spec = f"{sshd.link}{tmp_path}/installed"
    code, out, _ = run(capsys, "deploy", models / "float.json", spec, "--json")
    assert code == 0
    first = json.loads(out)
    current = tmp_path / "installed" / "current"
    assert model_hash(load(current / "model.json")) == model_hash(load(models / "float.json"))
    line = json.dumps({f"s{j}": 20.0 for j in range(8)})
    command = ["python3", "-m", "edge_lasso_runtime", "predict", "model.json", "-"]
    done = subprocess.run(command, cwd=current, input=line, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 2
    unit = tmp_path / "el.service"
    code, out, _ = run(capsys, "deploy", models / "int16.json", spec, "--unit", unit, "--source", "fifo:/run/el")
    assert code == 0
    assert f"WorkingDirectory={tmp_path}/installed/current" in unit.read_text()
    assert "ListenFIFO=/run/el\n" in (tmp_path / "el.socket").read_text()
    assert "sudo cp el.service el.socket /etc/systemd/system/ && sudo systemctl enable --now el.socket" in out
    assert "sections" in (current / "model.json").read_text()
    code, out, _ = run(capsys, "deploy", spec, "--rollback", "--json")
    assert json.loads(out)["version"] == first["version"]
    code, out, _ = run(capsys, "deploy", "--status", spec)
    assert (code, out.startswith(f"{spec}: {first['version']}, before it 1-")) == (0, True)
    code, out, err = run(capsys, "deploy", "--status", spec, f"{sshd.link}{tmp_path}/absent", "--json")
    assert code == 1
    assert [bool(standing["problem"]) for standing in json.loads(out)] == [False, True]
    assert "1 of 2 boards cannot be asked" in err
    for words, message in (
        ([spec], "nothing to deploy: name a model or a bundle"),
        ([models / "float.json"], "deploy takes one model or bundle and one ssh://user@host"),
        ([models / "float.json", spec, spec], "for many boards: deploy/ansible"),
    ):
        code, _, err = run(capsys, "deploy", *words)
        assert (code, message in err) == (2, True)


@pytest.mark.needs("ssh", "sshd")
def test_measuring_over_ssh_leaves_nothing_behind(capsys, tmp_path, models, sshd):
    code, _, _, timed = costs(capsys, tmp_path, models / "float.json", "--link", sshd.link, "--seconds", "0.5")
    assert code == 0
    assert timed[0]["figures"]["p50_us"]["kind"] == "measured"
    assert list(sshd.board.iterdir()) == []


@pytest.mark.needs("ssh", "sshd")
def test_nobody_answers(capsys, tmp_path, models, sshd):
    sshd.stop()
    for command in (
        ("deploy", models / "float.json", sshd.link),
        ("bench", models / "float.json", "--link", sshd.link),
    ):
        code, out, err = run(capsys, *command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "nothing listens there" in err


@pytest.mark.slow
@pytest.mark.needs("qemu-arm", "apt-get", "module:onnx")
def test_what_a_machine_cannot_run_leaves_the_rest(tmp_path, models):
    timed = bench(load(models / "float.json"), "python,onnx", "qemu:armel", 0.5)
    assert [entry.name for entry in timed] == ["python:double", "onnx:float32"]
    assert timed[0].figures["p50_us"]["kind"] == "emulated"
    assert "there are no wheels of what runs onnx for armel" in timed[1].reason
