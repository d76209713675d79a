"""What is delivered with a model: a CycloneDX 1.6 bill of materials for machines, a model card for people.

Both are pure: the same model, files and certificate give the same text.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

import edge_lasso_runtime
from edge_lasso.verifying.certificate import Certificate
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.explain import term_text
from edge_lasso_runtime.format import file_text

BILL, CARD = "bom.json", "card.md"
SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
LIMITS = (
    "Outside the ranges of its inputs the model extrapolates, and says that the result is degraded.",
    "It describes what went together in the training rows; it does not say what causes what.",
)


def bill(model: Model, files: Mapping[str, str], certificate: Certificate | None, when: str) -> bytes:
    """A CycloneDX ML-BOM.

    Parameters
    ----------
    model : Model
    files : mapping
        What is delivered: name to SHA-256 (hex).
    certificate : Certificate or None
        Whose verdicts the artifacts carry.
    when : str
        ISO 8601, UTC.
    """
    digest = model_hash(model)
    verdicts = {} if certificate is None else certificate.verdicts
    parts = [_file(name, files[name], verdicts) for name in sorted(files)]
    versions = model.provenance.get("versions", {})
    tools = [
        {"type": "library" if name != "python" else "platform", "name": name, "version": str(version)}
        for name, version in sorted(versions.items())
    ]
    data = _data(model)
    content = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, f'{digest} {when}')}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "tools": {
                "components": [{"type": "application", "name": "edge-lasso", "version": edge_lasso_runtime.__version__}]
            },
            "component": {
                "type": "machine-learning-model",
                "bom-ref": digest,
                "name": ", ".join(output.name for output in model.outputs),
                "version": digest[:12],
                "hashes": [{"alg": "SHA-256", "content": sha256(file_text(model).encode()).hexdigest()}],
                "modelCard": _model_card(model, data is not None),
            },
        },
        "components": [*parts, *tools, *([data] if data else [])],
    }
    return (json.dumps(content, indent=1) + "\n").encode()


def card(model: Model, certificate: Certificate | None) -> bytes:
    """A model card in Markdown."""
    outputs = ", ".join(output.name for output in model.outputs)
    about = model.provenance
    lines = [
        f"# {_cell(outputs)}",
        "",
        f"Model `{model_hash(model)}`, trained {about.get('date', 'at an unknown time')}.",
        "",
    ]
    lines += [
        "## Inputs",
        "",
        "| input | unit | range seen in training | used when missing |",
        "| --- | --- | --- | --- |",
    ]
    for feature in model.inputs:
        span = (
            ", ".join(map(str, feature.categories))
            if feature.categories
            else f"{feature.low:.6g} to {feature.high:.6g}"
        )
        default = "none of them" if feature.categories else f"{feature.default:.6g}"
        lines.append(f"| {_cell(feature.name)} | {_cell(feature.unit)} | {_cell(span)} | {default} |")
    lines += ["", "## Terms", ""]
    for output in model.outputs:
        lines.append(f"* {_cell(output.name)} = {output.intercept:.6g}")
        for term in output.terms:
            lines.append(f"  {'+' if term.coef >= 0 else '-'} {abs(term.coef):.6g} x {_cell(term_text(model, term))}")
    metrics = _metrics(model)
    if metrics:
        lines += ["", "## Quality", "", *(f"* {_cell(name)}: {value}" for name, value in metrics)]
    if certificate is not None:
        lines += ["", "## Certified", ""]
        lines += [f"* {title}: {verdict}" for title, verdict in sorted(certificate.verdicts.items())]
    lines += ["", "## Limits", "", *(f"* {text}" for text in LIMITS), "", "## Provenance", ""]
    plain = {key: value for key, value in about.items() if isinstance(value, (str, int, float))}
    lines += [f"* {_cell(key)}: {_cell(str(value))}" for key, value in sorted(plain.items())]
    return ("\n".join(lines) + "\n").encode()


def materials(model: Model, certificate: Certificate, delivered: Collection[str]) -> dict[str, bytes]:
    """Bill and card of an export, by their names.

    Parameters
    ----------
    model : Model
    certificate : Certificate
    delivered : collection of str
        Titles (``c:float``) of the artifacts that were written.
    """
    files = {
        f"{artifact.title.replace(':', '-')}/{name}": digest
        for artifact in certificate.artifacts
        if artifact.title in delivered
        for name, digest in artifact.files.items()
    }
    return {BILL: bill(model, files, certificate, certificate.date), CARD: card(model, certificate)}


def _file(name: str, digest: str, verdicts: Mapping[str, str]) -> dict[str, Any]:
    part: dict[str, Any] = {
        "type": "file",
        "bom-ref": name,
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }
    folders = (folder.replace("-", ":", 1) for folder in name.split("/")[:-1])
    verdict = next((verdicts[title] for title in folders if title in verdicts), None)
    if verdict:
        part["properties"] = [{"name": "edge-lasso:verdict", "value": verdict}]
    return part


def _model_card(model: Model, data: bool) -> dict[str, Any]:
    detects = "detector/1" in model.sections
    task = "anomaly detection" if detects else "classification" if model.classes is not None else "regression"
    parameters: dict[str, Any] = {
        "approach": {"type": "self-supervised" if detects else "supervised"},
        "task": task,
        "architectureFamily": "sparse linear model",
        "modelArchitecture": str(model.provenance.get("method", "lasso")),
        "inputs": [
            {"format": f"{feature.name}: {'text' if feature.categories else 'number'}"} for feature in model.inputs
        ],
        "outputs": [{"format": f"{output.name}: number"} for output in model.outputs],
    }
    if data:
        parameters["datasets"] = [{"ref": "training-data"}]
    entry: dict[str, Any] = {"modelParameters": parameters, "considerations": {"technicalLimitations": list(LIMITS)}}
    metrics = [{"type": name, "value": value} for name, value in _metrics(model)]
    if metrics:
        entry["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    return entry


def _data(model: Model) -> dict[str, Any] | None:
    """The training data: their hash where the provenance has one."""
    about = model.provenance
    facts = {
        key: about[key] for key in ("rows", "dropped_rows", "statistics_hash", "data_hash", "span") if key in about
    }
    if not facts:
        return None
    return {
        "type": "data",
        "bom-ref": "training-data",
        "name": "training data",
        "properties": [{"name": f"edge-lasso:{key}", "value": str(value)} for key, value in facts.items()],
    }


def _metrics(model: Model) -> list[tuple[str, str]]:
    results = []
    for fit in model.provenance.get("fits", []):
        target = fit.get("target", "")
        for key, name in (("cv_mse", "mean squared error, cross-validated"), ("cv_mse_constant", "that of a constant")):
            if fit.get(key) is not None:
                results.append((f"{target}: {name}", f"{fit[key]:.6g}"))
    return results


def _cell(text: str) -> str:
    """Text that stays in its cell, and is not read as markup."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return plain.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
