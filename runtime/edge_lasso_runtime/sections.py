"""The sections of a model file, and who checks each: a module with ``validate(section, model, where)``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECTIONS = {
    "cascade/1": "cascade",
    "detector/1": "detector_section",
    "drift/1": "drift",
    "estimate/1": "estimate",
    "fixed_detector/1": "fixed_detector_section",
    "fixed_point/1": "fixed_point",
    "health/1": "health",
    "interval/1": "interval",
}
LAST = ("cascade/1", "fixed_detector/1")
"""Sections that are made from others: checked when these have been."""
STRAIGHT = ("detector/1", "estimate/1", "fixed_detector/1")
"""Sections that reckon with slopes, and so do not go with hinges and steps."""


def section_module(key: str) -> Any:
    """The module whose ``validate(section, model, where)`` knows a section; None where there is none.

    A distribution with an entry point of the section's name in the group ``edge_lasso.sections`` brings one.
    """
    if key in SECTIONS:
        return __import__(f"{__package__}.{SECTIONS[key]}", fromlist=["validate"])
    if key.startswith("x-"):
        return None
    from .brought import brought

    entry = brought("edge_lasso.sections").get(key)
    return None if entry is None else entry.load()
