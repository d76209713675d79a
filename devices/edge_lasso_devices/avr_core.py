"""ATmega328P through simavr: exact instructions, cycles and stack. The harness in C is compiled once and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .cache import compiled
from .cores import LIMIT, Argument, CallResult, Returns, check_call, decode, place
from .cross import AVR_DATA, Image
from .errors import BoardError
from .processes import execute

HARNESS = Path(__file__).with_name("avr_harness.c")
MISSING = "core 'avr' needs simavr and a C compiler; install it with: apt-get install libsimavr-dev gcc"
RAM_START, RAM_END = 0x100, 0x8FF
FLASH = 32768
STACK_RESERVE = 256
TIMEOUT = 120


class AvrCore:
    """The ATmega328P of an Arduino Uno."""

    def __init__(self, name: str) -> None:
        self.name = self.target = name
        self._harness = compiled(HARNESS, ["-lsimavr"], MISSING)

    def describe(self) -> str:
        """The emulator."""
        return "ATmega328P in simavr"

    def call(
        self, image: Image, symbol: str, memory: Sequence[Argument] = (), returns: Returns = "int32"
    ) -> CallResult:
        """Call a function; see `Core.call`. ``double`` is 32 bits wide on AVR."""
        entry = check_call(self, image, symbol, memory)
        start = max([RAM_START, *(at - AVR_DATA + len(data) for at, data in image.sections if at >= AVR_DATA)])
        arguments, buffers = place(memory, -(-start // 16) * 16)
        if image.flash_bytes > FLASH:
            raise BoardError(f"the image takes {image.flash_bytes} bytes of flash; the ATmega328P has {FLASH}")
        if max([start, *(at + len(data) for at, data in buffers)]) > RAM_END - STACK_RESERVE:
            raise BoardError(f"'{symbol}' and its data do not fit into the 2048 bytes of RAM of an ATmega328P")
        lines = []
        for at, data in image.sections:
            lines.append(f"D {at - AVR_DATA} {data.hex()}" if at >= AVR_DATA else f"F {at} {data.hex()}")
        lines += [f"D {at} {data.hex()}" for at, data in buffers]
        register = 26
        for argument, number in zip(memory, arguments, strict=True):
            size = 2 if isinstance(argument, bytes) else 4
            register -= size
            lines.append(f"D {register} {(number & (1 << 8 * size) - 1).to_bytes(size, 'little').hex()}")
        result = 24 if returns == "int16" else 22
        lines += [f"R {entry} {LIMIT}", f"O {result} 4", *(f"O {at} {len(data)}" for at, data in buffers)]
        done = execute([self._harness], "\n".join(lines) + "\n", timeout=TIMEOUT)
        answer = done.stdout.split("\n")
        if done.returncode != 0 or not answer[0][:1].isdecimal():
            said = "did not return" if answer[0] == "limit" else f"failed ({answer[0] or done.stderr.strip()})"
            raise BoardError(f"'{symbol}' {said} on the ATmega328P")
        instructions, cycles, stack = map(int, answer[0].split())
        value = decode(bytes.fromhex(answer[1]), "float32" if returns == "float64" else returns)
        left = tuple(bytes.fromhex(line) for line in answer[2 : 2 + len(buffers)])
        return CallResult(value, left, instructions, cycles, stack)
