"""The ESPHome component: its files, what ESPHome says of them, and what it does in ESPHome on this machine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge_lasso.verifying.verify import export, verify
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.esphome import find_esphome, host_program
from edge_lasso_exporters import registry
from edge_lasso_exporters.esphome_names import numbers, sources
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Factor, Input, Model, Output, Term

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "targets" / "esphome.md"
HOSTILE = (
    "yes: [no, {", "on", "class", "${x}", "*/ drop", "id(the_model)", 'a"b\\', "@NAME@", "new\nline", "!lambda exit(1)",
    "<<: *x", "日本", "0x1", "score", "platform", "NULL",
)  # fmt: skip


def hostile():
    """Every name and word tries to be something else in YAML, Python or C++."""
    inputs = [Input(name, k, 0.5, 0.0, 1.0, unit=name) for k, name in enumerate(HOSTILE)]
    inputs.append(Input("kind", len(HOSTILE), None, None, None, categories=HOSTILE))
    terms = [Term(1.0 + k, (Factor(k),)) for k in range(len(HOSTILE))] + [Term(3.0, (Factor(len(HOSTILE), 3),))]
    outputs = tuple(Output(name, 0.0, tuple(terms), "softmax", unit=name) for name in HOSTILE)
    return Model((*HOSTILE, "kind"), tuple(inputs), outputs, classes=HOSTILE)


def wide():
    """More readings than a status has bits."""
    inputs = tuple(Input(f"s{k}", k, 0.5, 0.0, 1.0) for k in range(40))
    terms = tuple(Term(0.1 * (k + 1), (Factor(k),)) for k in range(40))
    return Model(tuple(f"s{k}" for k in range(40)), inputs, (Output("y", 0.0, terms, unit="°C"),))


def written(folder, model, name="air"):
    for path, data in registry.render(model, "esphome", "float", name=name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def run(folder, text):
    """What a configuration for the platform ``host`` prints until it ends."""
    (folder / "try.yaml").write_text(text)
    program = folder / "program"
    program.write_bytes(host_program(folder / "try.yaml"))
    program.chmod(0o755)
    done = subprocess.run(
        [program], env={"HOME": str(folder)}, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.needs("esphome")
@pytest.mark.parametrize(("name", "kind"), [("air", "hostile"), ("Sensor", "detector"), ("esphome", "everything")])
def test_esphome_takes_the_configurations(tmp_path, shapes, small_detector, name, kind):
    folder = written(tmp_path, {"hostile": hostile(), "detector": small_detector, **shapes}[kind], name)
    for file, words, said in (
        ("example.yaml", ["config"], "Configuration is valid"),
        ("example.yaml", ["compile", "--only-generate"], "Successfully generated source code"),  # for an ESP32
        ("host.yaml", ["config"], "Configuration is valid"),
    ):
        done = subprocess.run(
            [*find_esphome(), *words, folder / file], capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, said in done.stdout + done.stderr) == (0, True), done.stdout


def test_names_are_keys_of_yaml_alone():
    keys = list(sources(hostile()))
    assert len(set(keys)) == len(keys) == len(HOSTILE) + 1
    assert {"yes_no", "on_2", "class_", "x", "n0x1", "null_"} <= set(keys)
    assert all(re.fullmatch("[a-z][a-z0-9_]*", key) for key in keys)
    assert not {"score", "platform", "on", "yes", "no"} & set(numbers(hostile()))


def test_refusals(simple):
    with pytest.raises(ExportError, match="use --inputs selected"):
        registry.render(simple, "esphome", "float", inputs="all")
    with pytest.raises(ExportError, match="this one is a constant"):
        registry.render(Model(("a",), (), (Output("y", 1.0, ()),)), "esphome", "float")


def test_without_esphome_nothing_is_executed(tmp_path, simple, programs, monkeypatch):
    (entry,) = export(simple, "esphome", tmp_path / "out", allow_unverified=True).artifacts
    assert (entry.status, entry.reason) == ("not_executed", "no esphome here; install it with: pip install esphome")
    programs(esphome="echo 'ESPHome of another kind'")
    monkeypatch.setenv("EDGE_LASSO_ESPHOME", "esphome")
    with pytest.raises(BoardError, match="works, but says: ESPHome of another kind"):
        find_esphome()


@pytest.mark.slow
@pytest.mark.needs("esphome", "cc")
@pytest.mark.parametrize("kind", ["hostile", "wide", "detector", "everything", "softmax"])
def test_it_runs_in_esphome(tmp_path, shapes, small_detector, kind):
    model = {"hostile": hostile(), "wide": wide(), "detector": small_detector, **shapes}[kind]
    (entry,) = export(model, "esphome", tmp_path, name="air").artifacts
    assert (entry.status, entry.reason, entry.runtime.split()[0]) == ("passed", "", "ESPHome")
    assert entry.rows > (900 if kind == "detector" else 300)
    assert 0.0 < entry.largest_ratio <= 1.0


@pytest.mark.slow
@pytest.mark.needs("esphome", "cc")
@pytest.mark.parametrize("stateful", [False, True])
def test_a_wrong_number_is_noticed(tmp_path, simple, small_detector, monkeypatch, stateful):
    """What the C computes is right, and the component publishes something else."""
    model = small_detector if stateful else simple
    module = registry.target("esphome")
    real, line = module.render, b"publish_state(values[m]);"

    def render(*arguments):
        files = real(*arguments)
        assert sum(line in data for data in files.values()) == 1
        return {name: data.replace(line, b"publish_state(values[m] * 1.001f);") for name, data in files.items()}

    monkeypatch.setattr(module, "render", render)
    (entry,) = export(model, "esphome", tmp_path / "out").artifacts
    assert entry.status == "failed"
    assert ("step's linear predictor" if stateful else "predict_row") in entry.reason


@pytest.mark.slow
@pytest.mark.needs("esphome")
def test_an_artifact_that_does_not_compile_has_failed(tmp_path, simple):
    export(simple, "esphome", tmp_path, allow_unverified=True)
    source = tmp_path / "esphome-float" / "components" / "edge_lasso_model" / "model.cpp"
    source.write_text(source.read_text() + "\nint missing = nothing;\n")
    (entry,) = verify(simple, tmp_path / "esphome-float", run_foreign=True).artifacts
    assert entry.status == "failed"
    assert "error" in entry.reason


@pytest.mark.slow
@pytest.mark.needs("esphome")
def test_the_page_runs(tmp_path, beijing):
    commands = re.findall(r"^    (edge-lasso .*)", PAGE.read_text(), re.MULTILINE)
    (tmp_path / "edge_lasso").symlink_to(ROOT / "edge_lasso")
    for command in commands:
        program = Path(sys.executable).parent / "edge-lasso"
        words = [str(program), *command.split()[1:]]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=600)
    folder = tmp_path / "artifacts" / "esphome-float"
    first, second = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    shown = PAGE.read_text().partition("platform, it prints\n\n```\n")[2].partition("```")[0]
    assert run(folder, second) == shown.splitlines() != []
    standins = "\nesphome: {name: first}\nhost:\n" + "".join(
        f"  - {{platform: template, id: {name}, update_interval: 10s}}\n" for name in ("dongsi", "wanshouxigong")
    )
    head, _, rest = standins.partition("  - ")
    (folder / "first.yaml").write_text(first.replace("sensor:\n", f"sensor:\n  - {rest}", 1) + head)
    command = [*find_esphome(), "config", folder / "first.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


LIVE = """
esphome:
  name: live
  on_boot:
    priority: -100
    then:
      - sensor.template.publish: {id: a, state: 2.0}
      - sensor.template.publish: {id: b, state: -3.0}
      - delay: 150ms
      - sensor.template.publish: {id: a, state: 9.0}
      - delay: 150ms
      - sensor.template.publish: {id: a, state: !lambda "return NAN;"}
      - delay: 3000ms
      - lambda: exit(0);
host:
external_components:
  - {source: {type: local, path: components}, components: [edge_lasso_air]}
edge_lasso_air:
  expire_after: 800ms
  update_interval: 500ms
  sources: {a: a, b: b}
sensor:
  - {platform: template, id: a, update_interval: never}
  - {platform: template, id: b, update_interval: never}
  - platform: edge_lasso_air
    y: {name: y, on_value: [{lambda: 'printf("%g\\n", x);'}]}
text_sensor:
  - platform: edge_lasso_air
    status: {name: status, on_value: [{lambda: 'printf("%s\\n", x.c_str());'}]}
binary_sensor:
  - platform: edge_lasso_air
    problem: {name: problem, on_state: [{lambda: 'printf("problem %d\\n", x);'}]}
"""


@pytest.mark.slow
@pytest.mark.needs("esphome")
def test_sources_that_publish_fail_and_fall_silent(tmp_path, simple):
    """Two sources in one loop make one row; y = 0.5 + 2 a - 0.125 b, defaults 1 and -1."""
    lines = run(written(tmp_path, simple), LIVE)
    # the row of the update interval comes once at least, at a time of ESPHome's own
    assert lines[:2] == ["4.875", "ok"]
    rest = "\n".join(lines[2:])
    assert rest.index("18.875\ndegraded: a out of range\nproblem 1") < rest.index("2.875\ndegraded: a missing")
    assert rest.endswith("2.625\ndegraded: a missing, b missing")
