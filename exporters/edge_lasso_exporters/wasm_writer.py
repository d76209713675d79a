"""A WebAssembly module of functions of numbers, written straight to its binary format (version 1, MVP).

Only what a linear model needs: functions of f64, one memory where a model remembers, one import where it has a link.
Floating point in WebAssembly is IEEE binary64 without fused operations, so the order of operations here is the result.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

F64 = 0x7C
PAGE = 65536
MAGIC = b"\0asm\x01\0\0\0"
ABS, MUL, ADD, LE, EQ, SELECT, FROM_BOOL = b"\x99", b"\xa2", b"\xa0", b"\x65", b"\x61", b"\x1b", b"\xb8"
MIN, MAX, SUB, GT = b"\xa4", b"\xa5", b"\xa1", b"\x64"
END = b"\x0b"
NE, LT, GE, NOT = b"\x62", b"\x63", b"\x66", b"\x45"
NEGATE, FLOOR, TRUNCATE, DIVIDE = b"\x9a", b"\x9c", b"\x9d", b"\xa3"
TO_INT, FROM_INT, OR, SHIFT = b"\xaa", b"\xb7", b"\x72", b"\x74"
GET_MEMORY, PUT_MEMORY = b"\x2b\x03", b"\x39\x03"
BLOCK, LOOP, IF, ELSE, BRANCH, BRANCH_IF = b"\x02", b"\x03", b"\x04", b"\x05", b"\x0c", b"\x0d"
RETURN, CALL, UNREACHABLE, NOTHING = b"\x0f", b"\x10", b"\x00", b"\x40"


@dataclass(frozen=True)
class Code:
    """A function of f64.

    Parameters
    ----------
    parameters : int
    result : bool
        Whether it gives an f64, or nothing.
    locals : int
        Beside the parameters.
    code : bytes
        Without its end.
    name : str
        What it is exported as; empty: it is not.
    """

    parameters: int
    result: bool
    locals: int
    code: bytes
    name: str


def unsigned(value: int) -> bytes:
    """LEB128."""
    result = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        result.append(low | (0x80 if value else 0))
        if not value:
            return bytes(result)


def integer(value: int) -> bytes:
    """``i32.const`` of a number below 64."""
    return b"\x41" + bytes([value])


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


def module(functions: Sequence[Code], notes: dict[str, str], data: bytes = b"", exponential: bool = False) -> bytes:
    """A module that exports functions, and its memory where there is one.

    Parameters
    ----------
    functions : sequence of Code
    notes : dict
        Custom sections.
    data : bytes
        What the memory begins with; empty: there is none.
    exponential : bool
        Whether function 0 is an import, ``math.exp``, and the others come behind it.
    """
    kinds = [(1, True)] if exponential else []
    kinds = list(dict.fromkeys([*kinds, *((function.parameters, function.result) for function in functions)]))
    types = [b"\x60" + _vector([bytes([F64])] * count) + _vector([bytes([F64])] * result) for count, result in kinds]
    uses = [unsigned(kinds.index((function.parameters, function.result))) for function in functions]
    bodies = []
    for function in functions:
        groups = [unsigned(function.locals) + bytes([F64])] if function.locals else []
        body = _vector(groups) + function.code + END
        bodies.append(unsigned(len(body)) + body)
    exports = [
        _name(function.name) + b"\0" + unsigned(k + exponential)
        for k, function in enumerate(functions)
        if function.name
    ]
    pages = unsigned(-(-len(data) // PAGE))
    memory = _section(5, _vector([b"\0" + pages])) if data else b""
    exports += [_name("memory") + b"\2\0"] if data else []
    return (
        MAGIC
        + _section(1, _vector(types))
        + (_section(2, _vector([_name("math") + _name("exp") + b"\0\0"])) if exponential else b"")
        + _section(3, _vector(uses))
        + memory
        + _section(7, _vector(exports))
        + _section(10, _vector(bodies))
        + (_section(11, _vector([b"\0" + integer(0) + END + unsigned(len(data)) + data])) if data else b"")
        + b"".join(_section(0, _name(name) + text.encode()) for name, text in notes.items())
    )
