"""The ESPHome target: an external component around the C artifact (``c:float``), whose promise it keeps.

The C is that of the C target, and a sensor of ESPHome carries float32 as it does. Around it stand the YAML's schema
(`esphome_schema.py`) and the C++ that reads sources and publishes results (`esphome_glue.py`).
"""

from __future__ import annotations

from dataclasses import replace

from edge_lasso_runtime import Model
from edge_lasso_runtime.stream import keeps_state

from . import GENERATOR, SPDX, c_target, esphome_glue, esphome_schema, esphome_yaml
from .c_layout import c_float
from .esphome_names import binaries, categories, classes, component, numbers, sources, spoken, texts
from .names import c_string
from .options import ExportError, Options
from .templates import filled
from .usage import text_usage

VARIANTS = ("float",)
HANDLES_MISSING = True
STEPS = VARIANTS
usage = text_usage.esphome_usage
LONGEST_UNIT = 63
"""Bytes, by the schema of ESPHome's sensors."""

expected, promise = c_target.expected, c_target.promise


def default_variant(model: Model) -> str:
    """There is one."""
    return "float"


def render(model: Model, options: Options) -> dict[str, bytes]:
    """Render ``components/edge_lasso_NAME/`` and ``example.yaml``.

    Raises
    ------
    ExportError
        The model reads nothing, or whole training rows are wanted.
    """
    if options.inputs != "selected":
        raise ExportError("target 'esphome' takes a source for each input of the model; use --inputs selected")
    if not model.inputs:
        raise ExportError("target 'esphome' needs a model that reads something; this one is a constant")
    name = component(options.name)
    c_options = replace(options, name=name)
    code = c_target.render(model, c_options)
    common = {"NAME": name, "UPPER": name.upper(), "GENERATOR": GENERATOR, "SPDX": SPDX}
    words = {**_words(model, name, common), **common}
    python = {"__init__.py": esphome_schema.HUB, "sensor.py": esphome_schema.SENSOR}
    for kind, about, keys in (
        ("text_sensor", "What is said in words.", texts(model)),
        ("binary_sensor", "Whether something is wrong.", binaries(model)),
    ):
        lines = "\n".join(f'    "{key}": {esphome_schema.ENTITIES[key]},' for key in keys)
        fills = {"KIND": kind, "ABOUT": about, "SCHEMAS": lines}
        python[f"{kind}.py"] = filled(esphome_schema.KINDS, {**words, **fills})
    folder = {
        f"{name}.c": code[f"{name}.c"].decode(), f"{name}.h": code[f"{name}.h"].decode(),
        "model.h": filled(esphome_glue.HEADER, words), "model.cpp": filled(esphome_glue.SOURCE, words),
        **{file: f"# {SPDX}\n{filled(text, words)}" for file, text in python.items()},
    }  # fmt: skip
    files = {f"components/{name}/{file}": text for file, text in folder.items()}
    files |= {"example.yaml": esphome_yaml.example(model, options.name), "host.yaml": esphome_yaml.host(model, name)}
    return {file: text.encode() for file, text in files.items()}


def proofs(model: Model, options: Options) -> list[dict[str, str]]:
    """What is proven of its C."""
    return c_target.proofs(model, options)


def _words(model: Model, name: str, common: dict[str, str]) -> dict[str, str]:
    """What the templates say of this model."""
    keys, steps, detects = sources(model), keeps_state(model), "detector/1" in model.sections
    several, labelled = len(model.outputs) > 1, model.classes is not None
    places = list(zip(keys, range(len(keys)), spoken(model), strict=True))
    words = any(spoken(model))
    units = [output.unit if output.link == "identity" and _is_unit(output.unit) else "" for output in model.outputs]
    table = {key: (m, unit) for m, (key, unit) in enumerate(zip(numbers(model), [*units, ""], strict=False))}
    if steps:
        run = f"  const uint32_t wrong = {name}_step(&this->state_, x, &this->result_);\n"
        run += "  const float *values = this->result_.values;\n"
        label = "this->result_.label"
    else:
        run = f"  const uint32_t wrong = {name}_status(x);\n"
        run += f"  float values[{len(model.outputs)}];\n  {name}_predict(x, values);\n" if several else (
            f"  const float values[] = {{{name}_predict(x)}};\n")  # fmt: skip
        label = f"{name}_label(x)"
    shared = not steps and len(keys) > 32
    return {
        "SENSORS": "sensor, text_sensor" if words else "sensor",
        "LOADED": '"sensor", "text_sensor"' if words else '"sensor"',
        "NUMBERS": repr({key: place for key, place, word in places if not word}),
        "WORDS": repr({key: place for key, place, word in places if word}),
        "WORD_SCHEMA": "**{cv.Optional(key): cv.use_id(text_sensor.TextSensor) for key in WORDS}," if words else "",
        "INTERVAL": "None" if steps else '"60s"',
        "SCORED": filled(esphome_glue.SCORED, common) if detects else "",
        "VALUES": ascii(table), "OUTPUT_COUNT": str(len(table)), "COUNT": str(len(keys)),
        "PUBLIC": filled(esphome_glue.STEP_PUBLIC, common) if steps else "",
        "MEMBERS": filled(esphome_glue.STEP_MEMBERS, common) if steps else esphome_glue.WAITS,
        "AGAIN": "" if steps else "  this->waits_ = false;\n",
        "KEYS": ", ".join(map(c_string, keys)), "TABLES": _tables(model, steps),
        "START": f"  {name}_start(&this->state_);\n" if steps else "",
        "CHANGED": "" if steps else esphome_glue.CHANGED,
        "READ": esphome_glue.WORD_READ if words else esphome_glue.NUMBER_READ,
        "RUN": run, "LABELLED": esphome_glue.LABELLED.replace("label]", f"{label}]") if labelled else "",
        "ALARMED": esphome_glue.ALARMED if detects else "", "WARMS": "``warming up`` " if steps else "",
        "OK": 'this->result_.warming_up != 0 ? "warming up" : "ok"' if steps else '"ok"',
        "FAULT": esphome_glue.STEP_FAULT if steps else esphome_glue.STATUS_FAULT,
        "REST": ' + ((wrong >> 31) != 0 ? ", perhaps others" : "")' if shared else "",
    }  # fmt: skip


def _tables(model: Model, steps: bool) -> str:
    """What the C++ looks up: faults, and the words of categories and classes."""
    lines = ['static const char *const FAULTS[] = {"", "missing", "stuck", "jump", "out of range"};']
    if not steps:
        lines.append("static const uint8_t MISSING = 1, RANGE = 4;")
        lines.append(f"static const float LIMIT = {c_float(model.limit)};  // beyond it a reading is missing")
    lines += categories(model)
    if model.classes is not None:
        lines += ["#ifdef USE_TEXT_SENSOR", classes(model), "#endif"]
    return "\n".join(lines) + "\n"


def _is_unit(unit: str) -> bool:
    return unit.isprintable() and len(unit.encode()) <= LONGEST_UNIT
