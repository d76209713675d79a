"""The board's command line: predict, probe, selftest; exit codes and one-line errors."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import edge_lasso_runtime
from edge_lasso_exporters import registry
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, predict, save
from edge_lasso_runtime.__main__ import main

pytestmark = pytest.mark.long

HOME = str(Path(edge_lasso_runtime.__file__).parent.parent)
COMMAND = [sys.executable, "-m", "edge_lasso_runtime"]


def run(*arguments, data=None):
    return subprocess.run([*COMMAND, *map(str, arguments)], input=data, capture_output=True, text=True, check=False)


def regression():
    inputs = (Input("t", 0, 20.0, -10.0, 50.0, "C"), Input("kind", 2, None, None, None, "", ("red", "green")))
    terms = (Term(0.1, (Factor(0),)), Term(2.0, (Factor(1, 1),)))
    return Model(("t", "noise", "kind"), inputs, (Output("y", 0.3, terms), Output("z", 1.0, terms[:1])))


def classifier():
    inputs = (Input("t", 0, 20.0, -10.0, 50.0),)
    return Model(("t",), inputs, (Output("hot", -3.0, (Term(0.1, (Factor(0),)),), "logistic"),), classes=("no", "yes"))


@pytest.fixture
def model_file(tmp_path):
    save(regression(), tmp_path / "model.json")
    return tmp_path / "model.json"


def test_predict_csv_gives_the_reference_exactly(model_file, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("kind,noise,t\nred,1,20.5\ngreen,?,\nblue,3,1e300\ngreen,4,99\n\n")
    done = run("predict", model_file, data)
    assert (done.returncode, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    mappings = [
        {"t": 20.5, "kind": "red"},
        {"kind": "green"},
        {"t": 1e300, "kind": "blue"},
        {"t": 99, "kind": "green"},
    ]
    for row, mapping in zip(rows, mappings, strict=True):
        wanted = predict(regression(), mapping)
        assert [float(row["y"]), float(row["z"])] == wanted.values
        assert row["status"] == wanted.status
    assert [row["faults"] for row in rows] == ["", "t: missing", "t: missing; kind: missing", "t: out of range"]


def test_predict_reads_json_lines_and_writes_as_they_come(model_file):
    with subprocess.Popen(
        [*COMMAND, "predict", model_file, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        process.stdin.write('{"t": 20.0, "kind": "green"}\n')
        process.stdin.flush()
        assert process.stdout.readline() == "y,z,status,faults\n"
        assert process.stdout.readline().startswith("4.3,3.0,ok")
        process.stdin.write('\n{"kind": ["odd"], "t": "text"}\n')
        process.stdin.close()
        assert process.stdout.readline().endswith("degraded,t: missing; kind: missing\n")
        assert process.wait() == 0


def test_a_classifier_writes_the_label_first(tmp_path):
    save(classifier(), tmp_path / "model.json")
    done = run("predict", tmp_path / "model.json", "-", data="t\n40\n20\n")
    assert done.stdout.splitlines()[0] == "label,probability of yes,status,faults"
    assert [line.split(",")[0] for line in done.stdout.splitlines()[1:]] == ["yes", "no"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "no rows: the first line must be a CSV header or a JSON object"),
        ("t,noise\n1,2\n", "the header has no column 'kind', which the model reads"),
        ("t,t,kind\n1,2,red\n", "the header has more than one column 't', which the model reads"),
        ('{"t": 1}\nnot json\n', "line 2 is not a JSON object: 'not json'"),
        ('{"t": 1}\n[1]\n', "line 2 is not a JSON object: '[1]'"),
        ('{"t": 1}\n' + "[" * 100000, "line 2 is not a JSON object"),
        ("t,kind\n" + "1" * 200_000 + ",red\n", "the first lines are not CSV: field larger than field limit (131072)"),
        (b"t,kind\n\x00\x01,red\n", "data.csv is no text; give a CSV file, or name its --encoding"),
    ],
)
def test_data_that_cannot_be_used(model_file, tmp_path, data, text):
    path = tmp_path / "data.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    done = run("predict", model_file, path)
    assert done.returncode == 2
    assert text in done.stderr
    assert done.stderr.startswith("edge_lasso_runtime: error: ")
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(model_file, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("t,kind\n1,red\n1,red,3\nwarm,red\n2,red\n")
    done = run("predict", model_file, path)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 4)
    assert "line 3 has 3 cells and the header 2; left out" in done.stderr
    assert "line 4: 'warm' of 't' is no number and counts as missing; so do others like it" in done.stderr


def test_a_header_alone_gives_no_rows(model_file):
    done = run("predict", model_file, "-", data="t,kind\n")
    assert (done.returncode, done.stdout) == (0, "")


def test_files_that_are_not_there_or_not_models(tmp_path, model_file):
    for arguments, text in (
        (["predict", tmp_path / "none.json", "-"], "none.json: No such file or directory"),
        (["predict", model_file, tmp_path / "none.csv"], "none.csv: No such file or directory"),
        (["probe", tmp_path / "none"], "does not exist; give a model file or an artifact's folder"),
        (["selftest", tmp_path], "has no artifact.json"),
        (["selftest", tmp_path / "none.json"], "none.json: No such file or directory"),
    ):
        done = run(*arguments, data="")
        assert (done.returncode, done.stdout) == (2, "")
        assert text in done.stderr
        assert done.stderr.count("\n") == 1
    (tmp_path / "bad.json").write_text('{"format": "edge-lasso-model/9"}')
    done = run("selftest", tmp_path / "bad.json")
    assert done.returncode == 2
    assert "bad.json: format is 'edge-lasso-model/9'; this version reads 'edge-lasso-model/1'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "COMMAND"),
        (["predict"], "MODEL, DATA; see: python -m edge_lasso_runtime predict --help"),
        (["fly"], "invalid choice: 'fly'"),
        (["probe", "x", "--seconds", "soon"], "--seconds: 'soon' is not a number of seconds above 0"),
        (["score", "x", "--explain", "-1"], "--explain: '-1' is not a whole number, 0 or more"),
        (["score", "x", "--fast"], "--fast"),
    ],
)
def test_bad_usage_is_refused_in_one_line(arguments, text):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("edge_lasso_runtime: error: ")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["predict", "score", "mqtt", "digest", "probe", "selftest"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"example:\n  python -m edge_lasso_runtime {command} " in capsys.readouterr().out


def exported(tmp_path, target, variant):
    folder = tmp_path / f"{target}-{variant}"
    folder.mkdir()
    for name, data in registry.render(regression(), target, variant).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("to", ["python:double", "onnx:float32", "tflite:float32", "c:double", "c:float"])
@pytest.mark.needs("gcc")
def test_selftest_of_every_target(tmp_path, to):
    folder = exported(tmp_path, *to.split(":"))
    done = run("selftest", folder)
    assert (done.returncode, done.stderr.count("error")) == (0, 0)
    assert done.stdout.startswith(f"ok: {to}, 6 vectors in ")
    about = json.loads((folder / "artifact.json").read_text())
    about["self_test"][3]["linear"][1] += 1.0
    (folder / "artifact.json").write_text(json.dumps(about))
    done = run("selftest", folder)
    assert done.returncode == 1
    assert done.stdout.startswith("failed: vector 3: z is ")


def test_selftest_of_a_model_file(model_file):
    done = run("selftest", model_file)
    assert done.returncode == 0
    assert model_hash(regression()) in done.stdout


@pytest.mark.parametrize("to", ["python:double", "onnx:float32", "tflite:float32", "c:float"])
@pytest.mark.needs("gcc")
def test_probe_of_every_target(tmp_path, to):
    folder = exported(tmp_path, *to.split(":"))
    before = sorted(path.name for path in folder.rglob("*"))
    done = run("probe", folder, "--json", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert f"{found['subject']['target']}:{found['subject']['variant']}" == to
    assert found["figures"]["p50_us"]["value"] > 0
    assert found["figures"]["cold_start_ratio"]["value"] > 0.5
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_probe_prints_a_table_and_warnings_apart(model_file):
    done = run("probe", model_file, "--seconds", "0.8")
    assert done.returncode == 0
    assert done.stdout.startswith("runtime:double  model.json  on ")
    assert "p95_us" in done.stdout
    assert "measured" in done.stdout
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines())


def test_an_interrupt_ends_with_130(model_file):
    with subprocess.Popen(
        [*COMMAND, "predict", model_file, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdin.write(b"t,kind\n1,red\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b""


def test_a_reader_that_leaves_is_no_error(model_file, tmp_path):
    data = tmp_path / "data.csv"
    data.write_text("t,kind\n" + "1,red\n" * 50_000)
    script = f"{sys.executable} -m edge_lasso_runtime predict {model_file} {data} | head -n 2"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert (done.stdout.count("\n"), done.stderr) == (2, "")


@pytest.mark.parametrize("text", ["{", "[1,", '{"format": nul}', ""])
def test_a_model_that_is_not_json_in_a_fresh_python(tmp_path, text):
    """Nothing else imported `json` there, which CPython's scanner needs to tell what is wrong."""
    (tmp_path / "model.json").write_text(text)
    script = "import sys; sys.path.insert(0, sys.argv[1]); import edge_lasso_runtime as r\n"
    script += "try:\n    r.load(sys.argv[2])\nexcept r.ModelFormatError as error:\n    print(error)\n"
    argv = [sys.executable, "-I", "-S", "-c", script, HOME, str(tmp_path / "model.json")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("model.json is not JSON: ")


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("command", "others"),
    [
        ("predict", "adapt cascade explain hashlib interval keeper learn second_stage snapshot step"),
        ("score", "adapt cascade learn second_stage"),
    ],
)
def test_what_no_option_asks_for_is_not_imported(model_file, tmp_path, command, others):
    data = tmp_path / "data.csv"
    data.write_text("kind,noise,t\nred,1,20.5\n")
    arguments = [command, str(model_file), str(data)]
    script = (
        f"import sys\nfrom edge_lasso_runtime.__main__ import main\nmain({arguments!r})\n"
        f"names = {{name.replace('edge_lasso_runtime.', '') for name in sys.modules}}\n"
        f"print(sorted(names & set({others!r}.split())), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"
    assert done.stdout
