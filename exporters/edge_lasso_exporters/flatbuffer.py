"""A small encoder of FlatBuffers tables from slot numbers: no generated code, no schema compiler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flatbuffers

ALIGNMENT = 16


@dataclass(frozen=True)
class Scalar:
    """A number of a FlatBuffers type (``Int8``, ``Uint32``, ``Bool``, ``Float32``, ...) and the schema's default."""

    type: str
    value: Any
    default: Any = 0


@dataclass(frozen=True)
class Vector:
    """A vector of numbers."""

    type: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    """Slot number to Scalar, Vector, bytes (a 16-byte aligned vector of them), str, Table, list of Tables, or None."""

    slots: dict[int, Any]


WIDTH = {"Int32": 4, "Float32": 4, "Int64": 8}


def encode(root: Table, identifier: bytes) -> bytes:
    """Write a table and what it refers to.

    Parameters
    ----------
    root : Table
    identifier : bytes
        The four letters of the file's type.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, root), identifier)
    return bytes(builder.Output())


def _write(builder: Any, value: Any) -> int:
    offset: int
    if isinstance(value, str):
        offset = builder.CreateString(value)
    elif isinstance(value, bytes):
        builder.StartVector(1, len(value), ALIGNMENT)
        builder.head = builder.head - len(value)
        builder.Bytes[builder.head : builder.head + len(value)] = value
        offset = builder.EndVector()
    elif isinstance(value, Vector):
        width = WIDTH[value.type]
        builder.StartVector(width, len(value.values), width)
        prepend = getattr(builder, f"Prepend{value.type}")
        for entry in reversed(value.values):
            prepend(entry)
        offset = builder.EndVector()
    elif isinstance(value, list):
        offsets = [_write(builder, entry) for entry in value]
        builder.StartVector(4, len(offsets), 4)
        for entry in reversed(offsets):
            builder.PrependUOffsetTRelative(entry)
        offset = builder.EndVector()
    else:
        children = {
            slot: _write(builder, entry)
            for slot, entry in value.slots.items()
            if entry is not None and not isinstance(entry, Scalar)
        }
        builder.StartObject(max(value.slots, default=-1) + 1)
        for slot, entry in value.slots.items():
            if isinstance(entry, Scalar):
                getattr(builder, f"Prepend{entry.type}Slot")(slot, entry.value, entry.default)
            elif entry is not None:
                builder.PrependUOffsetTRelativeSlot(slot, children[slot], 0)
        offset = builder.EndObject()
    return offset
