"""The types of C that hold a program's numbers."""

from __future__ import annotations

from typing import Any

KINDS = (
    ("uint8_t", 0, 255), ("int8_t", -128, 127), ("uint16_t", 0, 65535), ("int16_t", -32768, 32767),
    ("int32_t", -(1 << 31), (1 << 31) - 1), ("uint32_t", 0, (1 << 32) - 1),
)  # fmt: skip
NARROW = frozenset(kind for kind, _, high in KINDS if high < 1 << 31 and "32" not in kind)
"""Types that ``int`` of 16 bits may hold, or promote to without a sign."""


def narrowest(values: list[Any]) -> str:
    """The narrowest type that holds all of these whole numbers."""
    return next(kind for kind, low, high in KINDS if low <= min(values) and max(values) <= high)


def width(kind: str) -> int:
    """Bits of a type; of floating point, as many as any has."""
    return int("".join(filter(str.isdigit, kind)) or 64)


def local_type(kind: str, real: str) -> str:
    """The type of a local."""
    return {"int": "int32_t", "real": real, "bits": "uint32_t", "bool": "uint8_t", "small": "uint8_t", "index": "int"}[
        kind or "int"
    ]
