"""The Home Assistant integration: its files. `integrations/home_assistant` runs them inside Home Assistant."""

import ast
import json
from hashlib import sha256
from pathlib import Path

import pytest

from edge_lasso.verifying.verify import export
from edge_lasso_exporters import homeassistant_entities, homeassistant_text, registry
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime import Factor, Input, Model, Output, Term

ROOT = Path(__file__).resolve().parent.parent.parent
HOSTILE = ('"""\nimport os', "${x}", "*/ drop", "{placeholder}", "sélect 'a' \\", "yes: [no, {", "</script>")


def hostile():
    inputs = tuple(Input(name, k, 0.5, 0.0, 1.0) for k, name in enumerate(HOSTILE))
    terms = tuple(Term(1.0 + k, (Factor(k),)) for k in range(len(HOSTILE)))
    return Model(HOSTILE, inputs, (Output('"""; import os', 0.0, terms, unit="'\n"),))


def files_of(model, name="air"):
    files = registry.render(model, "homeassistant", "double", name=name)
    return {key.removeprefix(f"custom_components/{name}/"): data.decode() for key, data in files.items()}


def test_the_folder_is_an_integration(tmp_path):
    artifacts = export(hostile(), "homeassistant", tmp_path, name="air").artifacts
    assert [(entry.status, entry.runtime.split()[0]) for entry in artifacts] == [("passed", "CPython")]
    files = files_of(hostile())
    manifest = json.loads(files["manifest.json"])
    assert manifest["domain"] == "air"
    assert manifest["requirements"] == manifest["dependencies"] == []
    assert manifest["config_flow"] is True
    assert {"domain", "name", "version", "documentation", "iot_class", "codeowners"} <= set(manifest)
    assert files["strings.json"] == files["translations/en.json"]
    fields = json.loads(files["strings.json"])["config"]["step"]["user"]["data"]
    assert [name for key, name in fields.items() if key.startswith("source_")][3] == "(placeholder)"


def test_names_are_nothing_but_text():
    for key, text in files_of(hostile()).items():
        if key.endswith(".py"):
            assert "@" not in text.replace("@callback", "").replace("@property", "").replace("@staticmethod", ""), key
            imported = {
                alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for alias in node.names
            }
            assert "os" not in imported


def test_its_python_imports_nothing_but_home_assistant_and_itself():
    allowed = {"__future__", "math", "collections.abc", "datetime", "typing", "homeassistant", "voluptuous"}
    for key, text in files_of(hostile()).items():
        for node in ast.walk(ast.parse(text)) if key.endswith(".py") else ():
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert node.module in allowed or node.module.split(".")[0] in allowed, (key, node.module)


def test_a_name_that_is_no_domain_is_refused():
    with pytest.raises(ExportError, match="no domain of Home Assistant"):
        registry.render(hostile(), "homeassistant", "double", name="Air")


def test_the_evidence_is_of_these_files():
    evidence = json.loads((ROOT / "integrations" / "home_assistant" / "evidence.json").read_text())
    assert evidence["failed"] == 0
    sources = (Path(module.__file__).read_bytes() for module in (homeassistant_text, homeassistant_entities))
    assert evidence["text"] == sha256(b"".join(sources)).hexdigest(), "run it again: make integrations"
