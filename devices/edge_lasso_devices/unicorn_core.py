"""Cortex-M0+, Cortex-M33 and 32-bit RISC-V through Unicorn: exact instructions and stack, no cycles."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from .cores import LIMIT, Argument, CallResult, Returns, check_call, decode, place
from .cross import BASE, Image
from .errors import BoardError

MEMORY = 0x400000
BUFFERS = BASE + MEMORY // 2
STACK = BASE + MEMORY - 0x1000
RETURN = 0x30000000


class UnicornCore:
    """One of Unicorn's processors."""

    def __init__(self, name: str) -> None:
        if not importlib.util.find_spec("unicorn"):
            raise BoardError(f"core '{name}' needs Unicorn; install it with: pip install 'edge-lasso[boards]'")
        self.name = self.target = name

    def describe(self) -> str:
        """Unicorn's version."""
        import unicorn

        return f"{self.name} in Unicorn {unicorn.__version__}"

    def call(
        self, image: Image, symbol: str, memory: Sequence[Argument] = (), returns: Returns = "int32"
    ) -> CallResult:
        """Call a function; see `Core.call`."""
        import unicorn

        address = check_call(self, image, symbol, memory)
        arguments, buffers = place(memory, BUFFERS)
        machine, registers = _machine(self.name)
        machine.mem_map(BASE, MEMORY)
        machine.mem_map(RETURN, 0x1000)
        for start, data in (*image.sections, *buffers):
            machine.mem_write(start, data)
        for register, value in zip(registers["arguments"], arguments, strict=False):
            machine.reg_write(register, value & 0xFFFFFFFF)
        machine.reg_write(registers["stack"], STACK)
        machine.reg_write(registers["return"], RETURN | registers["thumb"])
        seen = [0, STACK]

        def step(_machine: Any, _address: int, _size: int, _data: Any) -> None:
            seen[0] += 1
            seen[1] = min(seen[1], machine.reg_read(registers["stack"]))

        machine.hook_add(unicorn.UC_HOOK_CODE, step)
        try:
            machine.emu_start(address | registers["thumb"], RETURN, count=LIMIT)
        except unicorn.UcError as error:
            raise BoardError(f"'{symbol}' failed on {self.name} after {seen[0]} instructions: {error}") from None
        if machine.reg_read(registers["counter"]) & ~1 != RETURN:
            raise BoardError(f"'{symbol}' did not return within {LIMIT} instructions on {self.name}")
        floating = returns in ("float32", "float64") and registers["floats"]
        raw = b"".join(
            int(machine.reg_read(register)).to_bytes(4, "little")
            for register in (registers["floats"] if floating else registers["arguments"][:2])
        )
        left = tuple(bytes(machine.mem_read(start, len(data))) for start, data in buffers)
        return CallResult(decode(raw, returns), left, seen[0], None, STACK - seen[1])


def _machine(name: str) -> tuple[Any, dict[str, Any]]:
    import unicorn
    from unicorn import arm_const as arm
    from unicorn import riscv_const as riscv

    if name == "riscv32":
        return unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32), {
            "arguments": [riscv.UC_RISCV_REG_A0, riscv.UC_RISCV_REG_A1, riscv.UC_RISCV_REG_A2, riscv.UC_RISCV_REG_A3],
            "floats": [],
            "stack": riscv.UC_RISCV_REG_SP,
            "return": riscv.UC_RISCV_REG_RA,
            "counter": riscv.UC_RISCV_REG_PC,
            "thumb": 0,
        }
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    single = name == "cortex-m33"
    machine.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M33 if single else arm.UC_CPU_ARM_CORTEX_M0)
    return machine, {
        "arguments": [arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3],
        "floats": [arm.UC_ARM_REG_S0, arm.UC_ARM_REG_S1] if single else [],
        "stack": arm.UC_ARM_REG_SP,
        "return": arm.UC_ARM_REG_LR,
        "counter": arm.UC_ARM_REG_PC,
        "thumb": 1,
    }
