"""The bill of materials is what CycloneDX's own validator takes; the card says what the model is."""

import json
from hashlib import sha256

import pytest

from edge_lasso.verifying.certificate import Certificate, Execution
from edge_lasso.watching.materials import bill, card
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


FILES = {"model.json": b"{}", "artifacts/python-double/model.py": b"x = 1\n"}
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
