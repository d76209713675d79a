"""The bill of materials is what CycloneDX's own validator takes; the card says what the model is."""

import json
from hashlib import sha256

import pytest

from edge_lasso.verifying.artifact_files import hashes
from edge_lasso.verifying.certificate import Certificate, Execution
from edge_lasso.verifying.materials import bill, card
from edge_lasso.verifying.verify import export
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash

WHEN = "2026-11-28T00:00:00Z"


def model(name="a"):
    inputs = (Input(name, 0, 0.5, -1.0, 1.0, "K"), Input("kind", 1, None, None, None, "", ("red", "green")))
    terms = (Term(2.0, (Factor(0),)), Term(-1.0, (Factor(1, 1),)))
    about = {
        "rows": 600, "dropped_rows": 3, "statistics_hash": "ab" * 32, "method": "lasso", "date": WHEN,
        "versions": {"python": "3.11.7", "numpy": "2.4.0"},
        "fits": [{"target": "y", "cv_mse": 0.25, "cv_mse_constant": 4.0}],
    }  # fmt: skip
    return Model((name, "kind"), inputs, (Output("y", 0.5, terms),), provenance=about)


FILES = hashes({"model.json": b"{}", "artifacts/python-double/model.py": b"x = 1\n"})
CERTIFICATE = Certificate("0" * 64, WHEN, {}, (Execution("python", "double", {}, "passed", "CPython"),))


@pytest.mark.needs("module:cyclonedx")
@pytest.mark.parametrize("certificate", [CERTIFICATE, None])
def test_the_validator_takes_the_bill(certificate):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    text = bill(model(), FILES, certificate, WHEN).decode()
    assert validator.validate_str(text) is None
    bare = Model(("a",), (Input("a", 0, 0.0, -1.0, 1.0),), (Output("y", 0.0, ()),))
    assert validator.validate_str(bill(bare, FILES, None, WHEN).decode()) is None
    broken = json.loads(text)
    broken["metadata"]["component"]["type"] = "toaster"
    assert validator.validate_str(json.dumps(broken)) is not None


def test_what_the_bill_says():
    data = json.loads(bill(model(), FILES, CERTIFICATE, WHEN))
    parts = {part["name"]: part for part in data["components"]}
    artifact = parts["artifacts/python-double/model.py"]
    assert artifact["hashes"][0]["content"] == sha256(b"x = 1\n").hexdigest()
    assert artifact["properties"] == [{"name": "edge-lasso:verdict", "value": "passed"}]
    assert parts["numpy"]["version"] == "2.4.0"
    assert {"name": "edge-lasso:rows", "value": "600"} in parts["training data"]["properties"]
    about = data["metadata"]["component"]
    assert about["bom-ref"] == model_hash(model())
    assert about["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["value"] == "0.25"
    assert bill(model(), FILES, CERTIFICATE, WHEN) == bill(model(), FILES, CERTIFICATE, WHEN)


def test_the_card():
    text = card(model("a|<b>\n`c`"), CERTIFICATE).decode()
    assert "| a\\|&lt;b> 'c' | K | -1 to 1 | 0.5 |\n| kind |  | red, green | none of them |\n" in text
    assert "  + 2 x a\\|&lt;b> 'c'\n  - 1 x (kind = green)\n" in text
    assert "* y: mean squared error, cross-validated: 0.25\n" in text
    assert "* python:double: passed\n" in text


@pytest.mark.needs("module:cyclonedx")
def test_an_export_brings_both(tmp_path, monkeypatch):
    """What was written, in this export and before, with its verdict; not what failed."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    from edge_lasso.verifying import verify

    export(model(), "python", tmp_path)
    real = verify._execute
    monkeypatch.setattr(
        verify,
        "_execute",
        lambda *given: [
            e.__class__(**{**vars(e), "status": "failed"}) if e.target == "sql" else e for e in real(*given)
        ],
    )
    export(model(), "js,sql", tmp_path, allow_unverified=True)
    text = (tmp_path / "bom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    data = json.loads(text)
    files = {part["name"]: part for part in data["components"] if part["type"] == "file"}
    written = {
        p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*/*") if p.is_file() and p.parent != tmp_path
    }
    assert set(files) == written
    assert {name.split("/")[0] for name in files} == {"python-double", "js-double"}
    for name, part in files.items():
        assert part["hashes"] == [{"alg": "SHA-256", "content": sha256((tmp_path / name).read_bytes()).hexdigest()}]
        assert part["properties"][0]["value"] in ("passed", "not_executed")
    about = data["metadata"]["component"]
    assert (about["version"], data["metadata"]["timestamp"]) == (
        model_hash(model())[:12],
        json.loads((tmp_path / "certificate.json").read_text())["date"],
    )
    card_text = (tmp_path / "card.md").read_text()
    assert "* python:double: passed\n" in card_text
    assert "* statistics_hash: " + "ab" * 32 in card_text
