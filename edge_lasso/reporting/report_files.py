"""What lies beside a model: certificates and measurements of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.verifying.certificate import Certificate, from_json
from edge_lasso_runtime import Model, model_hash


def certificates_beside(folder: Path, model: Model) -> list[Certificate]:
    """Those beside a model, and in the folder that `export` fills, that are about this model."""
    proven: list[Certificate] = []
    for path in (folder / "certificate.json", folder / "artifacts" / "certificate.json"):
        data = _read(path)
        try:
            written = [from_json(chunk) for chunk in (data if isinstance(data, list) else [data])] if data else []
        except (ValueError, AttributeError) as error:
            raise DataError(
                f"{path} holds no certificate ({error}); remove it, or run edge-lasso verify again"
            ) from None
        proven += [entry for entry in written if entry.model_hash == model_hash(model) and entry not in proven]
    return proven


def measurements_beside(folder: Path, model: Model) -> list[dict[str, Any]]:
    """Those beside a model that are of this model; and of peers, which were measured along with it."""
    measured: list[dict[str, Any]] = []
    for path in (folder / "measurements.json", folder / "artifacts" / "measurements.json"):
        data = _read(path) or []
        mine = {chunk.get("model_hash") for chunk in data if isinstance(chunk, dict)}
        if model_hash(model) in mine:
            measured += [chunk for chunk in data if chunk.get("model_hash") in ("", model_hash(model))]
    return measured


def _read(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); remove it or write it again") from None
