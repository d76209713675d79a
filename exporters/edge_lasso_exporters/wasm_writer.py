"""A WebAssembly module of functions from numbers to a number, written straight to its binary format (version 1, MVP).

Only what a linear model needs: parameters of f64, straight-line code, no memory, no imports. Floating point in
WebAssembly is IEEE binary64 without fused operations, so the order of operations here is the result.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

F64 = 0x7C
MAGIC = b"\0asm\x01\0\0\0"
ABS, MUL, ADD, LE, EQ, SELECT, FROM_BOOL = b"\x99", b"\xa2", b"\xa0", b"\x65", b"\x61", b"\x1b", b"\xb8"
MIN, MAX, SUB, GT = b"\xa4", b"\xa5", b"\xa1", b"\x64"
END = b"\x0b"


def unsigned(value: int) -> bytes:
    """LEB128."""
    result = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        result.append(low | (0x80 if value else 0))
        if not value:
            return bytes(result)


def constant(value: float) -> bytes:
    """``f64.const``."""
    return b"\x44" + struct.pack("<d", value)


def get(place: int) -> bytes:
    """``local.get``."""
    return b"\x20" + unsigned(place)


def put(place: int) -> bytes:
    """``local.set``."""
    return b"\x21" + unsigned(place)


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + unsigned(len(content)) + content


def _vector(items: Sequence[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def _name(text: str) -> bytes:
    data = text.encode()
    return unsigned(len(data)) + data


def module(parameters: int, functions: dict[str, bytes], notes: dict[str, str]) -> bytes:
    """A module that exports functions of `parameters` f64 that give one f64.

    Parameters
    ----------
    parameters : int
    functions : dict
        Name to code, without its end.
    notes : dict
        Custom sections.
    """
    kind = b"\x60" + _vector([bytes([F64])] * parameters) + _vector([bytes([F64])])
    bodies = [b"\0" + code + END for code in functions.values()]
    return (
        MAGIC
        + _section(1, _vector([kind]))
        + _section(3, _vector([unsigned(0)] * len(functions)))
        + _section(7, _vector([_name(name) + b"\0" + unsigned(k) for k, name in enumerate(functions)]))
        + _section(10, _vector([unsigned(len(body)) + body for body in bodies]))
        + b"".join(_section(0, _name(name) + text.encode()) for name, text in notes.items())
    )
