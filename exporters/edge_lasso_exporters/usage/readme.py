"""``README.md`` of an artifact's folder: what it is, how it is used, what a row holds, what came with it."""

from __future__ import annotations

from edge_lasso_exporters import GENERATOR, LICENCE
from edge_lasso_exporters.names import ascii_text
from edge_lasso_exporters.options import Options
from edge_lasso_runtime import Model, model_hash
from edge_lasso_runtime.model import Input

from .sample import MOST

SPECIAL = {ord(c): f"\\{c}" for c in "\\`*_{}[]()#+-!|~"} | {ord("<"): "&lt;", ord(">"): "&gt;", ord("&"): "&amp;"}


def readme(model: Model, options: Options, target: str, usage: str) -> bytes:
    """Write it.

    Parameters
    ----------
    model : Model
    options : Options
    target : str
    usage : str
        Markdown: how this target's files are used.
    """
    given = f"`{target}:{options.variant}`"
    results = ", ".join(_name(output.name, output.unit) for output in model.outputs)
    if model.classes is not None:
        results = f"{results} ({' or '.join(map(_name, model.classes))})"
    lines = [
        f"# {_name(options.name)}",
        "",
        f"A sparse linear model for {results}, as {given}: version {options.version}, made by {GENERATOR} from model"
        f" {model_hash(model)[:12]}.",
        "",
        "## How to use it",
        "",
        usage.strip(),
        "",
        *_readings(model, options),
        "## What is in this folder",
        "",
        "`artifact.json` tells tools what the files are, with rows and results to test them. Change nothing:",
        f"`edge-lasso verify MODEL.json {target}-{options.variant}` executes the files only if they are, byte by byte,",
        "what the model renders to.",
        "",
        "## Whose it is",
        "",
        "What edge-lasso generated belongs to who made the model; edge-lasso's licence asks nothing of it. For licence"
        " scanners",
        f"the files say `SPDX-License-Identifier: {LICENCE}`: what edge-lasso put into them comes without a condition.",
        "",
    ]
    return "\n".join(lines).encode()


def _readings(model: Model, options: Options) -> list[str]:
    if not model.inputs:
        return ["It reads nothing: its result is constant.", ""]
    shown = list(enumerate(model.inputs))[:MOST]
    lines = [
        "## What it reads",
        "",
        "| place | reading | when missing | range |",
        "| --- | --- | --- | --- |",
    ]
    for i, feature in shown:
        place = feature.column if options.inputs == "all" else i
        lines.append(f"| {place} | {_name(feature.name, feature.unit)}{_derived(feature)} | {_default(feature)} |")
    if len(model.inputs) > MOST:
        lines.append(f"| | and {len(model.inputs) - MOST} more: `artifact.json` | | |")
    if options.inputs == "all":
        lines += ["", f"A row holds all {len(model.columns)} columns of the training table; the others are not read."]
    if not options.variant.startswith("int8"):
        ends = model.policy == "clamp" or options.variant == "fixed"
        lines += ["", f"Out of its range a reading counts {'as the nearest end of it' if ends else 'as it is'}, and the"
                      " status says so where there is one."]  # fmt: skip
    if any(ascii_text(feature.name) != feature.name for feature in model.inputs):
        lines += ["Where a language is written in ASCII, names are transliterated: " + ", ".join(
            f"{_name(feature.name)} is {_name(ascii_text(feature.name))}"
            for _, feature in shown if ascii_text(feature.name) != feature.name
        ) + "."]  # fmt: skip
    if any(feature.stream is not None for feature in model.inputs):
        lines += ["What is computed from earlier rows is `step`'s own work where there is one, else the caller's."]
    return [*lines, ""]


def _derived(feature: Input) -> str:
    if feature.stream is None:
        return ""
    kind, of, length = feature.stream
    return f" ({kind} {length} of {_name(of)})"


def _default(feature: Input) -> str:
    if feature.categories is not None:
        words = ", ".join(f"{i} {_name(word)}" for i, word in enumerate(feature.categories[:MOST]))
        return f"-1 | {words}{', ...' if len(feature.categories) > MOST else ''}"
    return f"{feature.default!r} | {feature.low!r} to {feature.high!r}"


def _name(name: str, unit: str = "") -> str:
    """A name in Markdown: one line, and nothing in it means anything."""
    text = f"{name} [{unit}]" if unit else name
    return "".join(c if c.isprintable() else " " for c in text).translate(SPECIAL)
