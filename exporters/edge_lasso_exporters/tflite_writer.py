"""TFLite files, written straight to the flatbuffer, and a check of what runtimes accept silently and compute wrongly.

Slot numbers and codes are those of the TFLite schema (version 3); operator versions and the runtime each needs
follow LiteRT's `op_version.cc` and `runtime_version.cc`, for the operators emitted here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import Scalar, Table, Vector, encode
from .options import ExportError

TYPES = {"float32": 0, "float16": 1, "int32": 2, "int64": 4, "bool": 6, "int16": 7, "int8": 9}
# operator: builtin code, type code of its options
OPERATORS = {
    "ADD": (0, 11),
    "CONCATENATION": (2, 10),
    "DEQUANTIZE": (6, 38),
    "FULLY_CONNECTED": (9, 8),
    "LOGISTIC": (14, 0),
    "MUL": (18, 21),
    "SOFTMAX": (25, 9),
    "GATHER": (36, 23),
    "SUB": (41, 28),
    "EXP": (47, 33),
    "MAXIMUM": (55, 39),
    "MINIMUM": (57, 39),
    "GREATER": (61, 44),
    "LESS_EQUAL": (63, 46),
    "EQUAL": (71, 53),
    "ABS": (101, 78),
    "QUANTIZE": (114, 89),
    "SELECT_V2": (123, 98),
}
RUNTIMES = {
    ("ADD", 1): (1, 5), ("CONCATENATION", 1): (1, 5), ("CONCATENATION", 2): (1, 14), ("DEQUANTIZE", 2): (1, 14),
    ("DEQUANTIZE", 3): (1, 15), ("FULLY_CONNECTED", 1): (1, 5), ("FULLY_CONNECTED", 3): (1, 14),
    ("FULLY_CONNECTED", 4): (1, 14), ("FULLY_CONNECTED", 7): (2, 3), ("LOGISTIC", 1): (1, 14), ("LOGISTIC", 2): (1, 14),
    ("MUL", 1): (1, 5), ("SOFTMAX", 1): (1, 5), ("GATHER", 1): (1, 6), ("GATHER", 2): (1, 14), ("SUB", 1): (1, 6),
    ("MAXIMUM", 1): (1, 14), ("MINIMUM", 1): (1, 14), ("LESS_EQUAL", 1): (1, 14), ("EQUAL", 1): (1, 14),
    ("EXP", 1): (1, 7), ("GREATER", 1): (1, 14),
    ("ABS", 1): (1, 13), ("QUANTIZE", 1): (1, 14), ("QUANTIZE", 2): (1, 15), ("SELECT_V2", 1): (2, 2),
}  # fmt: skip
LINK_QUANTIZATION = {"int8": (2.0**-8, -128), "int16": (2.0**-15, 0)}
RELU_N1_TO_1 = 2


@dataclass(frozen=True)
class Tensor:
    """A tensor: a constant with its data, or an activation [N, width].

    Parameters
    ----------
    name : str
    type : str
    shape : tuple of int
        1 stands for the batch in an activation.
    data : array or None
    quantization : (scale, zero point) or None
    batched : bool
        Whether the first dimension of an activation is the batch.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    data: NDArray[Any] | None = None
    quantization: tuple[float, int] | None = None
    batched: bool = True


@dataclass(frozen=True)
class Operation:
    """An operator with the positions of its tensors."""

    name: str
    inputs: tuple[int, ...]
    output: int
    options: Table


class Writer:
    """A graph of one input, built operator by operator; `finish` checks and encodes it."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operations: list[Operation] = []
        self.source = -1

    def input(self, name: str, width: int, kind: str, quantization: tuple[float, int] | None = None) -> int:
        """Add the input tensor [N, width]."""
        self.source = self._tensor(Tensor(name, kind, (1, width), None, quantization))
        return self.source

    def constant(self, values: Any, kind: str = "float32", quantization: tuple[float, int] | None = None) -> int:
        """Store an array."""
        data = np.ascontiguousarray(np.asarray(values, dtype=kind))
        return self._tensor(Tensor(f"c{len(self.tensors)}", kind, data.shape, data, quantization))

    def unpack(self, constant: int) -> int:
        """Append the conversion of a float16 constant to float32."""
        shape = self.tensors[constant].shape
        out = self._tensor(Tensor(f"t{len(self.tensors)}", "float32", shape, batched=False))
        self.operations.append(Operation("DEQUANTIZE", (constant,), out, Table({})))
        return out

    def add(
        self,
        op: str,
        *inputs: int,
        width: int = 0,
        kind: str = "",
        quantization: tuple[float, int] | None = None,
        name: str = "",
        **options: Any,
    ) -> int:
        """Append an operator; its output has the first input's width and type unless told.

        Options: `axis` (GATHER, CONCATENATION), `activation` (MUL).
        """
        first = self.tensors[inputs[0]]
        out = Tensor(
            name or f"t{len(self.tensors)}", kind or first.type, (1, width or first.shape[-1]), None, quantization
        )
        self.operations.append(Operation(op, inputs, self._tensor(out), _options(op, **options)))
        return len(self.tensors) - 1

    def rename(self, position: int, name: str) -> None:
        """Give a tensor the name that users see."""
        self.tensors[position] = replace(self.tensors[position], name=name)

    def finish(self, outputs: dict[str, int], facts: dict[str, str], description: str) -> bytes:
        """Check the graph and encode it.

        Parameters
        ----------
        outputs : dict
            Name in the signature to tensor.
        facts : dict
            Written as JSON to the metadata entry ``edge_lasso``.
        description : str

        Raises
        ------
        ExportError
            The graph has something that runtimes accept and compute wrongly.
        """
        for operation in self.operations:
            check(operation, self.tensors)
        return encode(self._model(outputs, facts, description), b"TFL3")

    def _tensor(self, tensor: Tensor) -> int:
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _model(self, outputs: dict[str, int], facts: dict[str, str], description: str) -> Table:
        codes = list(dict.fromkeys((operation.name, version(operation, self.tensors)) for operation in self.operations))
        buffers: list[bytes] = [b""]
        tensors = []
        for tensor in self.tensors:
            tensors.append(_tensor_table(tensor, len(buffers) if tensor.data is not None else 0))
            if tensor.data is not None:
                buffers.append(tensor.data.astype(tensor.data.dtype.newbyteorder("<")).tobytes())
        oldest = ".".join(str(part) for part in max((RUNTIMES[code] for code in codes), default=(1, 5))) + ".0"
        entries = {
            "min_runtime_version": oldest.encode().ljust(16, b"\0"),
            "edge_lasso": json.dumps(facts, separators=(",", ":")).encode(),
        }
        metadata = [Table({0: key, 1: Scalar("Uint32", len(buffers) + i)}) for i, key in enumerate(entries)]
        buffers += entries.values()
        subgraph = Table({
            0: tensors,
            1: Vector("Int32", (self.source,)),
            2: Vector("Int32", tuple(outputs.values())),
            3: [self._operation(operation, codes) for operation in self.operations],
            4: "main",
        })  # fmt: skip
        signature = Table({
            0: [Table({0: self.tensors[self.source].name, 1: Scalar("Uint32", self.source)})],
            1: [Table({0: key, 1: Scalar("Uint32", i)}) for key, i in outputs.items()],
            2: "serving_default",
            4: Scalar("Uint32", 0),
        })  # fmt: skip
        return Table({
            0: Scalar("Uint32", 3),
            1: [_operator_code(*code) for code in codes],
            2: [subgraph],
            3: description,
            4: [Table({0: data or None}) for data in buffers],
            6: metadata,
            7: [signature],
        })  # fmt: skip

    def _operation(self, one: Operation, codes: list[tuple[str, int]]) -> Table:
        option_type = OPERATORS[one.name][1]
        return Table({
            0: Scalar("Uint32", codes.index((one.name, version(one, self.tensors)))),
            1: Vector("Int32", one.inputs),
            2: Vector("Int32", (one.output,)),
            3: Scalar("Uint8", option_type),
            4: one.options if option_type else None,
        })  # fmt: skip


def version(one: Operation, tensors: list[Tensor]) -> int:
    """The operator version that the tensors' types ask for: a lower one may load and compute nonsense."""
    first, out = tensors[one.inputs[0]].type, tensors[one.output].type
    if one.name == "FULLY_CONNECTED":
        weights = tensors[one.inputs[1]].type
        return {("float32", "float32"): 1, ("float32", "int8"): 3, ("int8", "int8"): 4, ("int16", "int8"): 7}[
            first, weights
        ]
    if one.name == "QUANTIZE":
        return 2 if out == "int16" else 1
    if one.name == "DEQUANTIZE":
        return 2 if first == "int8" else 3
    return 2 if first == "int8" else 1


def check(one: Operation, tensors: list[Tensor]) -> None:
    """Refuse what TFLite runtimes accept without a word and compute wrongly.

    Raises
    ------
    ExportError
    """
    inputs, out = [tensors[i] for i in one.inputs], tensors[one.output]
    for tensor in (*inputs, out):
        if tensor.type in ("int8", "int16") and tensor.quantization is None:
            raise _wrong(one, f"{tensor.name} is {tensor.type} without a scale")
        if tensor.type == "int16" and tensor.quantization is not None and tensor.quantization[1] != 0:
            raise _wrong(one, f"{tensor.name} is int16 with a zero point; it must be 0")
    if one.name == "FULLY_CONNECTED":
        _check_matrix(one, inputs, out)
    if one.name in ("GATHER", "CONCATENATION"):
        moved = inputs[:1] if one.name == "GATHER" else inputs
        if any((tensor.type, tensor.quantization) != (out.type, out.quantization) for tensor in moved):
            raise _wrong(one, "input and output differ in type or quantization; they must be the same")
    if one.name == "GATHER" and (inputs[1].type != "int32" or not _inside(inputs[1].data, inputs[0].shape[-1])):
        raise _wrong(one, f"indices must be int32 from 0 to {inputs[0].shape[-1] - 1}")
    if one.name in ("LOGISTIC", "SOFTMAX") and out.quantization != LINK_QUANTIZATION.get(out.type):
        raise _wrong(one, f"{out.type} output must have scale and zero point {LINK_QUANTIZATION.get(out.type)}")


def _check_matrix(one: Operation, inputs: list[Tensor], out: Tensor) -> None:
    source, weights, bias = inputs
    if weights.shape[1] != source.shape[-1] or weights.shape[0] != out.shape[-1] or bias.shape != weights.shape[:1]:
        raise _wrong(one, f"weights {weights.shape} do not fit {source.shape[-1]} inputs and {out.shape[-1]} outputs")
    if weights.type != "int8":
        return
    if weights.shape[0] > 1:
        raise _wrong(one, "several outputs share one scale, which ruins the small ones; emit one operator per output")
    assert weights.quantization is not None
    assert weights.data is not None
    if weights.quantization[1] != 0 or weights.data.min(initial=0) < -127:
        raise _wrong(one, "weights must have zero point 0 and lie within +-127")
    if source.type == "float32":
        return
    assert source.quantization is not None
    scale = float(np.float32(source.quantization[0]) * np.float32(weights.quantization[0]))
    wanted = "int32" if source.type == "int8" else "int64"
    if bias.type != wanted or bias.quantization != (scale, 0):
        raise _wrong(one, f"bias must be {wanted} with scale {scale!r} (input times weights) and zero point 0")


def _inside(indices: NDArray[Any] | None, width: int) -> bool:
    return indices is not None and bool(np.all((indices >= 0) & (indices < width)))


def _wrong(one: Operation, what: str) -> ExportError:
    return ExportError(f"tflite {one.name}: {what}")


def _options(op: str, axis: int = 0, activation: int = 0) -> Table:
    if op == "GATHER":
        return Table({0: Scalar("Int32", axis)})
    if op == "CONCATENATION":
        return Table({0: Scalar("Int32", axis)})
    if op == "SOFTMAX":
        return Table({0: Scalar("Float32", 1.0, 0.0)})
    return Table({0: Scalar("Int8", activation)}) if op == "MUL" else Table({})


def _operator_code(name: str, number: int) -> Table:
    code = OPERATORS[name][0]
    return Table({0: Scalar("Int8", code), 2: Scalar("Int32", number, 1), 3: Scalar("Int32", code)})


def _tensor_table(tensor: Tensor, buffer: int) -> Table:
    quantization = None
    if tensor.quantization is not None:
        scale, zero = tensor.quantization
        quantization = Table({2: Vector("Float32", (scale,)), 3: Vector("Int64", (zero,))})
    signature = Vector("Int32", (-1, *tensor.shape[1:])) if tensor.data is None and tensor.batched else None
    return Table({
        0: Vector("Int32", tensor.shape),
        1: Scalar("Int8", TYPES[tensor.type]),
        2: Scalar("Uint32", buffer),
        3: tensor.name,
        4: quantization,
        7: signature,
    })  # fmt: skip
