"""The target formats by name: the lines below, and what other distributions bring.

A distribution that has an entry point ``NAME = "module"`` in the group ``edge_lasso.targets`` brings a target, and in
the group ``edge_lasso.sessions`` what runs it (`edge_lasso_runtime.sessions`). Neither is imported unless asked for.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, entry_points, metadata

GROUP = "edge_lasso.targets"
TARGETS = {
    "python": "python_target",
    "c": "c_target",
    "js": "js_target",
    "onnx": "onnx_target",
    "tflite": "tflite_target",
    "sql": "sql_target",
    "wasm": "wasm_target",
    "formula": "formula_target",
    "promql": "promql_target",
    "homeassistant": "homeassistant_target",
    "esphome": "esphome_target",
}


def modules() -> dict[str, str]:
    """Every target's name and module; one that is here by name is not replaced from outside."""
    here = {name: f"{__package__}.{module}" for name, module in TARGETS.items()}
    brought = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    return {**here, **{name: module for name, module in sorted(brought.items()) if name not in here}}


def to_install(name: str, package: str) -> str:
    """What brings a package that a target needs: the extra of the target's name, if there is one."""
    try:
        extras = metadata("edge-lasso").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        extras = []
    return f"'edge-lasso[{name}]'" if name in extras else package
