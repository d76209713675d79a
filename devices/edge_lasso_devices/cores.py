"""Cores: emulated microcontrollers that call one compiled function and count what it costs."""

from __future__ import annotations

import difflib
import importlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from .cross import Image
from .errors import BoardError

Argument = bytes | int
Returns = Literal["int32", "int16", "float32", "float64", "void"]
FORMATS = {"int32": "<i", "int16": "<h", "float32": "<f", "float64": "<d"}
LIMIT = 50_000_000
STAND_IN = "in place of"


@dataclass(frozen=True)
class Emulator:
    """Where a core is emulated.

    Attributes
    ----------
    module, kind : str
        The module beside this one, imported when the core is opened because emulators are optional, and its class.
    stand_in : str or None
        The core whose instructions stand for this one's where its emulator is missing.
    """

    module: str
    kind: str
    stand_in: str | None = None


CORES = {
    "cortex-m0plus": Emulator("unicorn_core", "UnicornCore"),
    "cortex-m33": Emulator("unicorn_core", "UnicornCore"),
    "riscv32": Emulator("unicorn_core", "UnicornCore"),
    "avr": Emulator("avr_core", "AvrCore"),
    "rp2040": Emulator("rp2040_core", "Rp2040Core", "cortex-m0plus"),
}


@dataclass(frozen=True)
class CallResult:
    """What one call gave and cost, from the function's first instruction to its return; the same on every run.

    Attributes
    ----------
    value : float or int or None
        What the function returned.
    memory : tuple of bytes
        The buffers that were passed, as the function left them.
    instructions : int
        Instructions executed.
    cycles : int or None
        Clock cycles; None where the emulator counts none.
    stack_bytes : int
        How far the stack pointer went down, callees included; on AVR with the return address.
    """

    value: float | int | None
    memory: tuple[bytes, ...]
    instructions: int
    cycles: int | None
    stack_bytes: int


class Core(Protocol):
    """An emulated microcontroller. ``target`` is what `cross_build` compiles for it."""

    name: str
    target: str

    def call(
        self, image: Image, symbol: str, memory: Sequence[Argument] = (), returns: Returns = "int32"
    ) -> CallResult:
        """Call a function of an image.

        Parameters
        ----------
        image : Image
            Compiled for this core's target.
        symbol : str
            The function.
        memory : sequence of bytes or int
            Its arguments: bytes are copied to memory and passed as pointers, whole numbers as ``int32_t``.
            Four at most.
        returns : str
            The type of its value.

        Raises
        ------
        BoardError
            The image is for another core or lacks the function, or the call runs into memory that is not there or
            does not end.
        """

    def describe(self) -> str:
        """One line: the emulator and its version."""


def open_core(name: str) -> Core:
    """The emulated core of a name; BoardError, naming the package, when its emulator is not installed."""
    if name not in CORES:
        nearest = difflib.get_close_matches(name, CORES, 1, 0.4)
        hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
        raise BoardError(f"core '{name}' is unknown{hint}; there are {', '.join(CORES)}")
    module = importlib.import_module(f".{CORES[name].module}", __package__)
    core: Core = getattr(module, CORES[name].kind)(name)
    return core


def open_nearest(name: str) -> tuple[Core, str]:
    """The emulated core of a name, or the one that stands in for it where its emulator is missing, and who emulates.

    Raises
    ------
    BoardError
        Neither is here; the text is about the core itself.
    """
    try:
        core = open_core(name)
    except BoardError as error:
        stand_in = CORES[name].stand_in if name in CORES else None
        if stand_in is None:
            raise
        try:
            core = open_core(stand_in)
        except BoardError:
            raise error from None
        return core, f"{core.describe()}, {STAND_IN} {name}"
    return core, core.describe()


def check_call(core: Core, image: Image, symbol: str, memory: Sequence[Argument]) -> int:
    """The address of the function that a call names; BoardError when the call cannot be made."""
    if image.target != core.target:
        raise BoardError(f"core '{core.name}' runs images for {core.target}, this one is for {image.target}")
    if symbol not in image.symbols:
        raise BoardError(f"the image has no function '{symbol}'")
    if len(memory) > 4:
        raise BoardError(f"'{symbol}' is called with {len(memory)} arguments; at most 4 are supported")
    return image.symbols[symbol]


def place(memory: Sequence[Argument], start: int) -> tuple[list[int], list[tuple[int, bytes]]]:
    """Where buffers go: the arguments as numbers, and (address, bytes) of each buffer, aligned to 16 bytes."""
    arguments, buffers = [], []
    for argument in memory:
        if isinstance(argument, bytes):
            arguments.append(start)
            buffers.append((start, argument))
            start += -(-max(len(argument), 1) // 16) * 16
        else:
            arguments.append(argument)
    return arguments, buffers


def decode(raw: bytes, returns: Returns) -> float | int | None:
    """A returned value from the bytes of its registers."""
    if returns == "void":
        return None
    form = FORMATS[returns]
    value: float | int = struct.unpack(form, raw[: struct.calcsize(form)])[0]
    return value
