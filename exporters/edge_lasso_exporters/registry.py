"""What targets are asked for. A new one is a module with the names below and a line in `targets` (or an entry point).

A target module has `VARIANTS`, `HANDLES_MISSING` (a bool, or a function of the options), `default_variant(model)`,
`render(model, options)`, `expected(model, options, rows)` and `promise(model, options)`; it is imported when asked for.
`USUAL` is whether it is meant where no target is named; without it, it is verified and measured where it is asked for,
because not every machine has its runtime.
`STEPS` names the variants that have `start` and `step` of a model that keeps state; where that depends on the model,
`steps_of(model)` says it.
Rows that its promise leaves out are named by `exempt(model, options, row)`, if there are any.
What is proven of its code `proofs(model, options)` says, and raises ExportError where a proof fails (`proofs.py`).
Where the caller has to scale readings and results, `encoding(model, options)` says how (see `artifact.json`).
`usage(model, options)` gives the text of the README that says how the files are used, and example files.
"""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import Any

from edge_lasso_runtime import Model, model_hash

from . import GENERATOR, LICENCE
from .detector_q import has_step_q
from .fixed_counts import has_counts
from .metadata import stream_facts
from .names import is_artifact_name
from .options import ExportError, Options
from .targets import modules, to_install
from .usage.readme import readme
from .vectors import test_rows
from .verdicts import check_target

LEAVES = "onnx and tflite"
NEEDED = ("VARIANTS", "HANDLES_MISSING", "default_variant", "render", "expected", "promise")
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}")


def target(name: str) -> Any:
    """Import a target's module.

    Raises
    ------
    ExportError
        The target is unknown, or a package it needs is not installed.
    """
    known = modules()
    if name not in known:
        near = get_close_matches(name, known, 1)
        hint = f", the nearest is '{near[0]}'" if near else ""
        raise ExportError(f"target '{name}' is unknown; there are {', '.join(known)}{hint}")
    try:
        module: ModuleType = import_module(known[name])
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("edge_lasso_exporters", "edge_lasso_runtime"):
            raise
        needs = error.name or known[name]
        raise ExportError(
            f"target '{name}' needs {needs}; install it with: pip install {to_install(name, needs)}"
        ) from None
    lacking = [part for part in NEEDED if not hasattr(module, part)]
    if lacking:
        raise ExportError(f"target '{name}' is no target: {known[name]} has no {', '.join(lacking)}")
    return module


def steps(name: str) -> tuple[str, ...]:
    """The variants of a target that take in rows one after another, where a model keeps state."""
    return tuple(getattr(target(name), "STEPS", ()))


def usual() -> list[str]:
    """The targets that are meant where none is named: those that say so, and those that lack a package to say it."""
    return [name for name in modules() if _usual(name)]


def _usual(name: str) -> bool:
    try:
        return bool(getattr(target(name), "USUAL", False))
    except ExportError:
        return True


def parse(text: str, model: Model) -> list[tuple[str, str]]:
    """Read ``python,c:float,tflite:int8``: pairs of target and variant (by default the one that suits the model).

    Raises
    ------
    ExportError
        A target or variant that is unknown.
    """
    wanted: list[tuple[str, str]] = []
    for word in filter(None, (word.strip() for word in text.split(","))):
        name, _, variant = word.partition(":")
        module = target(name)
        pair = (name, variant or module.default_variant(model))
        if pair[1] not in module.VARIANTS:
            raise ExportError(f"target '{name}' has no variant '{pair[1]}'; it has {', '.join(module.VARIANTS)}")
        if pair not in wanted:
            wanted.append(pair)
    if not wanted:
        raise ExportError(f"no target is named; there are {', '.join(modules())}")
    return wanted


def version_of(model: Model) -> str:
    """The version of a model that was given none: the day it was trained, 1.0.0 where that is not known."""
    date = DATE.match(str(model.provenance.get("date", "")))
    return ".".join(str(int(part)) for part in date.groups()) if date else "1.0.0"


def proofs(model: Model, target_name: str, options: Options) -> list[dict[str, str]]:
    """What is proven of an artifact: ``name``, ``method`` and ``statement`` each.

    Raises
    ------
    ExportError
        A proof fails, so that there is to be no such artifact.
    """
    module = target(target_name)
    results: list[dict[str, str]] = module.proofs(model, options) if hasattr(module, "proofs") else []
    return results


def handles_missing(target_name: str, options: Options) -> bool:
    """Whether an artifact replaces missing readings; else its caller does."""
    handles = target(target_name).HANDLES_MISSING
    return bool(handles if isinstance(handles, bool) else handles(options))


def render(
    model: Model,
    target_name: str,
    variant: str,
    inputs: str = "selected",
    name: str = "model",
    version: str = "",
    missing: str = "artifact",
) -> dict[str, bytes]:
    """Render an artifact's files, the README of their folder, and the `artifact.json` that describes them to tools.

    Parameters
    ----------
    model : Model
    target_name, variant : str
    inputs : {"selected", "all"}
    name : str
        An ASCII identifier.
    version : str
        The model's own; by default the day it was trained.
    missing : {"artifact", "caller"}
        Who replaces missing readings.

    Returns
    -------
    dict
        Relative path to content; the entry file first. Same model, same bytes.

    Raises
    ------
    ExportError
        The target cannot express the model, or the name is no identifier.
    """
    if not is_artifact_name(name):
        raise ExportError(
            f"name {name!r} cannot name a C and Python file and their symbols (ASCII letters, digits, _; no reserved "
            "word or system header); choose another with --name"
        )
    module = target(target_name)
    check_target(model, target_name)
    options = Options(variant, inputs, name, version or version_of(model), missing)
    if not VERSION.fullmatch(options.version):
        raise ExportError(f"version {version!r} must look like 1.4.0: digits, letters and .+-, at most 40")
    files: dict[str, bytes] = module.render(model, options)
    rows = [row for row, _ in test_rows(model, inputs)]
    handled = handles_missing(target_name, options)
    if missing == "caller" and handled:
        raise ExportError(f"{target_name}:{variant} replaces missing readings itself; --leave-missing is for {LEAVES}")
    if not handled:
        rows = [row for row in rows if None not in row]
    values, tolerances = module.expected(
        model, options, [[float("nan") if x is None else x for x in row] for row in rows]
    )
    described = {
        "format": "edge-lasso-artifact/1",
        "target": target_name,
        "variant": variant,
        "entry": next(iter(files)),
        "name": name,
        "inputs": [feature.name for feature in model.inputs] if inputs == "selected" else list(model.columns),
        "outputs": [output.name for output in model.outputs],
        "model_hash": model_hash(model),
        "version": options.version,
        "license": LICENCE,
        "generator": GENERATOR,
        "handles_missing": handled,
        "self_test": [
            {"row": row, "linear": list(value), "tolerance": list(tolerance)}
            for row, value, tolerance in zip(rows, values, tolerances, strict=True)
        ],
    }
    stepping = variant in steps(target_name) or (hasattr(module, "steps_of") and module.steps_of(model))
    described.update(stream_facts(model, stepping, stepping and variant == "fixed" and has_step_q(model)))
    if variant == "fixed" and has_counts(model):
        described["raw_counts"] = all(
            feature.raw is not None or feature.categories is not None for feature in model.inputs
        )
    encoding = module.encoding(model, options) if hasattr(module, "encoding") else None
    if encoding is not None:
        described["encoding"] = encoding
    text, examples = module.usage(model, options) if hasattr(module, "usage") else ("", {})
    files = {**files, **examples, "README.md": readme(model, options, target_name, text)}
    return {**files, "artifact.json": (json.dumps(described, indent=1, allow_nan=False) + "\n").encode()}
