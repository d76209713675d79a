"""The Home Assistant target: a custom integration around the Python artifact, which needs nothing else.

The model's file is the Python target's, and that is what is run and compared; the files around it read entities, keep
the model's state across restarts and show the results (`homeassistant_text.py`).
"""

from __future__ import annotations

import json
import re
from typing import Any

from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state, readings

from . import GENERATOR, SPDX, python_target
from .homeassistant_entities import BINARY, ENTITY, SENSOR
from .homeassistant_text import CONST, DIAGNOSTICS, FLOW, INIT, RUNNER
from .options import ExportError, Options
from .templates import filled
from .usage import text_usage

VARIANTS = ("double",)
HANDLES_MISSING = True
STEPS = VARIANTS
usage = text_usage.homeassistant_usage
PERIOD = 300
"""Seconds between rows of a model that remembers, unless the user says otherwise."""
DOMAIN = re.compile(r"[a-z][a-z0-9_]*")

expected, promise = python_target.expected, python_target.promise


def default_variant(model: Model) -> str:
    """There is one."""
    return "double"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``custom_components/NAME/``.

    Raises
    ------
    ExportError
        The name is no domain of Home Assistant.
    """
    name = options.name
    if not DOMAIN.fullmatch(name):
        raise ExportError(f"{name!r} is no domain of Home Assistant (a-z, 0-9, _); choose another with --name")
    names = [model.inputs[i].name for i in readings(model)] if keeps_state(model) else [i.name for i in model.inputs]
    detects = "detector/1" in model.sections
    title = f"{', '.join(output.name for output in model.outputs[:2])} (edge-lasso)"
    words = {
        "GENERATOR": GENERATOR, "DOMAIN": repr(name), "TITLE_TEXT": ascii(title), "READINGS": ascii(names),
        "PERIOD": str(PERIOD if keeps_state(model) else 0), "MORE": ", Platform.BINARY_SENSOR" if detects else "",
        "TITLE": "edge-lasso",
    }  # fmt: skip
    files = {
        "__init__.py": INIT, "const.py": CONST, "runner.py": RUNNER, "entity.py": ENTITY, "sensor.py": SENSOR,
        "config_flow.py": FLOW, "diagnostics.py": DIAGNOSTICS, **({"binary_sensor.py": BINARY} if detects else {}),
    }  # fmt: skip
    strings = _json(_strings(names))
    code = python_target.render(model, options)[f"{name}.py"]
    content = {
        "model.py": code,
        **{file: f"# {SPDX}\n{filled(text, words)}".encode() for file, text in files.items()},
        "manifest.json": _json(_manifest(name, title, options.version)),
        "strings.json": strings,
        "translations/en.json": strings,
    }
    return {f"custom_components/{name}/{file}": data for file, data in content.items()}


def _manifest(name: str, title: str, version: str) -> dict[str, Any]:
    return {
        "domain": name, "name": title, "codeowners": [], "config_flow": True, "dependencies": [],
        "documentation": "https://github.com/edge-lasso/edge-lasso", "integration_type": "service",
        "iot_class": "calculated", "requirements": [], "version": version,
    }  # fmt: skip


def _strings(names: list[str]) -> dict[str, Any]:
    """What the forms say; braces would be placeholders."""
    plain = [name.replace("{", "(").replace("}", ")") for name in names]
    fields = {f"source_{k}": name for k, name in enumerate(plain)}
    fields |= {"period": "Seconds between rows (0: whenever a source changes)",
               "max_age": "Seconds after which a source that reports nothing is missing (0: never)"}  # fmt: skip
    form = {"description": "Which entity does each reading come from? One that stays empty is missing.", "data": fields}
    return {
        "config": {"step": {"user": form}, "error": {"no_source": "Choose one entity at least."}},
        "options": {"step": {"init": form}},
    }


def _json(data: Any) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()
