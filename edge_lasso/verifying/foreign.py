"""Whether an artifact is what its model renders to: the same bytes, nothing added, nothing missing."""

from __future__ import annotations

import json
from collections.abc import Mapping

from edge_lasso_exporters import GENERATOR, registry
from edge_lasso_exporters.options import ExportError, Options
from edge_lasso_runtime import Model
from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.printable import printable


def foreign(model: Model, target: str, options: Options, files: Mapping[str, bytes]) -> str:
    """What is strange about an artifact's files; empty when they are what the model renders to.

    Rendering is deterministic: the same model and options give the same bytes in the same version of edge-lasso.
    """
    try:
        own = registry.render(
            model, target, options.variant, inputs=options.inputs, name=options.name, version=options.version,
            missing=options.missing,
        )  # fmt: skip
    except ExportError as error:
        return f"it is nothing that this model renders to ({error})"
    for what, names in (
        ("holds also", sorted(set(files) - set(own))),
        ("lacks", sorted(set(own) - set(files))),
        ("differs in", [name for name in own if own[name] != files.get(name)]),
    ):
        if names:
            return f"it is not what this model renders to: it {what} {printable(', '.join(names[:3]))}"
    return ""


def other_version(files: Mapping[str, bytes]) -> str:
    """Who made an artifact, when that was another version of edge-lasso, which renders other bytes; else empty."""
    try:
        generator = str(json.loads(files[FILE])["generator"])
    except (KeyError, ValueError, TypeError, RecursionError):
        return ""
    return "" if generator == GENERATOR else f"made by {printable(generator[:60])}, and this is {GENERATOR}"
