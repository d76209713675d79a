"""What a board's TOML may say: its fields, their types and limits. Each figure states its source."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any

from .cores import CORES
from .errors import BoardError

CLASSES = ("linux", "microcontroller")
ISAS = (
    "armv6",
    "armv8-a",
    "x86-64",
    "armv6-m",
    "armv7e-m",
    "armv8-m",
    "rv32imc",
    "rv32imac",
    "xtensa-lx6",
    "avr",
)
FPUS = ("none", "single", "double")
LINKS = ("local", "qemu:arm64", "qemu:armel", "qemu:amd64")

Check = Callable[[Any], str | None]


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be a text that is not empty"


def _one_of(*choices: object) -> Check:
    said = ", ".join(str(choice) for choice in choices)
    return lambda value: None if value in choices and not isinstance(value, bool) else f"must be one of {said}"


def _positive(value: Any) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return None if number and math.isfinite(value) and value > 0 else "must be a positive number"


def _count(value: Any) -> str | None:
    return None if type(value) is int and value > 0 else "must be a positive whole number"


def _truth(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _versions(value: Any) -> str | None:
    good = isinstance(value, list) and value and all(_version(version) for version in value)
    return None if good else 'must be a list of Python versions such as ["3.11"]'


def _version(text: Any) -> bool:
    return isinstance(text, str) and len(text.split(".")) == 2 and all(part.isdecimal() for part in text.split("."))


PLAIN: dict[str, Check] = {
    "base": _text,
    "title": _text,
    "class": _one_of(*CLASSES),
    "core": _one_of(*CORES),
    "link": _one_of(*LINKS),
    "notes": _text,
}
FIGURES: dict[str, Check] = {
    "cpu": _text,
    "isa": _one_of(*ISAS),
    "clock_mhz": _positive,
    "cores": _count,
    "fpu": _one_of(*FPUS),
    "bits": _one_of(8, 32, 64),
    "ram_bytes": _count,
    "flash_bytes": _count,
    "os": _text,
    "pythons": _versions,
    "micropython": _truth,
    "tflite_micro": _truth,
    "cycles_per_instruction": _positive,
    "cycle_factor": _positive,
    "active_mw": _positive,
}
BANDED = ("cycles_per_instruction", "cycle_factor")
EVERY = ("title", "class", "cpu", "isa", "clock_mhz", "cores", "fpu", "bits", "ram_bytes", "cycles_per_instruction")
REQUIRED = {
    "linux": (*EVERY, "os", "pythons", "link"),
    "microcontroller": (*EVERY, "flash_bytes", "micropython", "tflite_micro", "core"),
}


def check(table: Mapping[str, Any], where: str) -> None:
    """Raise BoardError, naming file and field, unless every field present is known, well formed and sourced."""
    for name, value in table.items():
        if name in PLAIN:
            fault = PLAIN[name](value)
        elif name in FIGURES:
            fault = _figure(name, value)
        else:
            nearest = difflib.get_close_matches(name, [*PLAIN, *FIGURES], 1)
            fault = "is unknown" + (f"; did you mean '{nearest[0]}'?" if nearest else "")
        if fault:
            raise BoardError(f"{where}: {name} {fault}")


def check_complete(table: Mapping[str, Any], where: str) -> None:
    """Raise BoardError unless the table has every field that a board of its class needs."""
    for name in REQUIRED.get(table.get("class", ""), ("class",)):
        if name not in table:
            raise BoardError(f"{where}: {name} is missing")


def _figure(name: str, table: Any) -> str | None:
    keys = {"value", "source"} | ({"band"} if name in BANDED else set())
    if not isinstance(table, dict):
        return "must be a table { " + ", ".join(f"{key} = .." for key in sorted(keys, reverse=True)) + " }"
    for key in sorted(keys - {"source"}, reverse=True):
        if key not in table:
            return f"has no {key}"
    if _text(table.get("source")):
        return "has no source; say where the figure is published"
    unknown = sorted(set(table) - keys)
    if unknown:
        return f"has an unknown key '{unknown[0]}'; allowed are {', '.join(sorted(keys))}"
    if name in BANDED and (_positive(table["band"]) or table["band"] < 1):
        return "has a band below 1; it is the factor by which the figure may be off either way"
    fault = FIGURES[name](table["value"])
    return f"is {table['value']!r}; it {fault}" if fault else None
