"""A target, its runtime, a section and a board from outside: another distribution, and a file, and nothing changed here."""

import json
import subprocess
import sys
from textwrap import dedent

import pytest

from edge_lasso.commands.main import main
from edge_lasso_devices.boards import load_board
from edge_lasso_exporters import registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_exporters.targets import modules
from edge_lasso_runtime import Factor, Input, Model, Output, Term, dumps, loads
from edge_lasso_runtime.errors import ModelFormatError

ENTRY_POINTS = """
[edge_lasso.targets]
toy = toy_target
broken = toy_session
absent = toy_that_is_not_there

[edge_lasso.sessions]
toy = toy_session

[edge_lasso.sections]
toy/1 = toy_section
"""
TARGET = '''
"""The model as lines of text: a coefficient, a column."""

from edge_lasso_exporters.vectors import reference
from edge_lasso_runtime import model_hash

VARIANTS = ("lines",)
HANDLES_MISSING = False
USUAL = True


def default_variant(model):
    return "lines"


def render(model, options):
    lines = ["toy " + model_hash(model)]
    for output in model.outputs:
        lines.append(repr(output.intercept))
        lines += ["%r %d" % (term.coef, term.factors[0].input) for term in output.terms]
    return {options.name + ".toy": "\\n".join(lines).encode()}


def expected(model, options, rows):
    values = reference(model, rows, options.inputs)
    return values, [[0.0] * len(row) for row in values]


def promise(model, options):
    return {"kind": "bit-equal", "bound": 0.0, "text": "the linear predictor, bit for bit"}


def proofs(model, options):
    return [{"name": "toy: lines", "method": "lemma", "statement": "a line is a line"}]
'''
SESSION = """
from edge_lasso_runtime.sessions import Session

RUNTIME = "toy machine"
IMPORTS = "import toy_session"


class ToySession(Session):
    def linear(self, rows):
        with open(self.artifact.path()) as file:
            lines = file.read().split("\\n")[1:]
        result = []
        for row in rows:
            total = float(lines[0])
            for line in lines[1:]:
                coef, place = line.split()
                total += float(coef) * row[int(place)]
            result.append([total])
        return result

    predict = linear

    def one_row(self, rows):
        return (lambda row: self.linear([row])), [list(row) for row in rows]


def open_session(kind, artifact):
    with open(artifact.path()) as file:
        return ToySession(artifact, "toy machine 1", file.readline().split()[1])
"""
SECTION = """
from edge_lasso_runtime.errors import ModelFormatError


def validate(section, model, where):
    if section != {"play": True}:
        raise ModelFormatError(where + " does not play")
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A distribution as pip leaves it, on the path of this process and of those that it starts."""
    folder = tmp_path / "installed"
    about = folder / "toy-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    for name, text in (("toy_target", TARGET), ("toy_session", SESSION), ("toy_section", SECTION)):
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    yield folder
    for name in ("toy_target", "toy_session", "toy_section"):
        sys.modules.pop(name, None)


def model():
    inputs = (Input("a", 0, 1.0, 0.0, 2.0), Input("b", 1, 3.0, 2.0, 4.0))
    terms = (Term(0.1, (Factor(0),)), Term(-0.7, (Factor(1),)))
    return Model(("a", "b"), inputs, (Output("y", 0.25, terms),), sections={"toy/1": {"play": True}})


@pytest.mark.long
@pytest.mark.usefixtures("one_runtime_each")
def test_a_target_from_outside_is_a_target(toy, tmp_path, capsys, monkeypatch):
    path, out = tmp_path / "model.json", tmp_path / "artifacts"
    path.write_text(dumps(model()))
    assert main(["export", "--help"]) == 0
    assert "promql, homeassistant, esphome, absent, broken, toy" in " ".join(capsys.readouterr().out.split())

    assert main(["export", str(path), "--to", "toy", "--out", str(out)]) == 0
    (entry,) = json.loads((out / "certificate.json").read_text())["artifacts"]
    assert (entry["target"], entry["status"], entry["runtime"]) == ("toy", "passed", "toy machine 1")
    assert entry["proofs"] == [{"name": "toy: lines", "method": "lemma", "statement": "a line is a line"}]

    assert main(["verify", str(path), str(out / "toy-lines")]) == 0
    assert "toy machine 1" in capsys.readouterr().out
    assert "toy" in registry.usual()

    measured = tmp_path / "measured.json"
    assert main(["bench", str(out / "toy-lines"), "--seconds", "0.05", "--json", str(measured)]) == 0
    (figures,) = json.loads(measured.read_text())
    assert figures["name"] == "toy:lines"
    assert figures["figures"]["p50_us"]["value"] > 0

    page = tmp_path / "report.html"
    assert main(["report", str(path), "--out", str(page)]) == 0
    assert "toy:lines" in page.read_text()


def test_a_damaged_artifact_of_it_fails(toy, tmp_path):
    path, out = tmp_path / "model.json", tmp_path / "artifacts"
    path.write_text(dumps(model()))
    assert main(["export", str(path), "--to", "toy", "--out", str(out)]) == 0
    file = out / "toy-lines" / "model.toy"
    file.write_text(file.read_text().replace("0.25", "0.26"))
    assert main(["verify", str(path), str(out / "toy-lines"), "--run-foreign"]) == 1


def test_what_is_no_target_says_so(toy):
    with pytest.raises(
        ExportError,
        match="target 'absent' needs toy_that_is_not_there; install it with: pip install toy_that_is_not_there",
    ):
        registry.target("absent")
    with pytest.raises(
        ExportError, match="target 'broken' is no target: toy_session has no VARIANTS, HANDLES_MISSING, "
    ):
        registry.target("broken")


def test_a_section_from_outside_is_checked(toy):
    assert loads(dumps(model())).sections == {"toy/1": {"play": True}}
    with pytest.raises(ModelFormatError, match=r"sections\['toy/1'\] does not play"):
        loads(dumps(model().replace(sections={"toy/1": {}})))
    with pytest.raises(ModelFormatError, match="section 'toy/2' is unknown"):
        loads(dumps(model().replace(sections={"toy/2": {}})))


def test_without_it_nothing_of_it_is_there(tmp_path):
    assert "toy" not in modules()
    with pytest.raises(ModelFormatError, match="section 'toy/1' is unknown"):
        loads(dumps(model()))


def test_a_board_from_outside_is_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EDGE_LASSO_BOARDS", str(tmp_path))
    (tmp_path / "toy-board.toml").write_text(
        dedent("""\
            base = "pico"
            title = "Toy board"
            """)
    )
    assert load_board("toy-board").title == "Toy board"
    assert main(["boards"]) == 0
    assert "toy-board" in capsys.readouterr().out


def test_looking_for_what_others_bring_waits_until_it_is_asked_for():
    script = (
        "import sys\nimport edge_lasso_runtime\nfrom edge_lasso_runtime import load\n"
        "assert 'importlib.metadata' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-I", "-c", script], check=True)
