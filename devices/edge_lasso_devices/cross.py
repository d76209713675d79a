"""Compiling C for a microcontroller: sources in, a linked image with its flash and RAM out."""

from __future__ import annotations

import importlib.util
import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .build import compiler_version, sources_in
from .errors import BoardError
from .folders import relative
from .processes import execute
from .tools import require, zig

WARNINGS = ("-Wall", "-Wextra", "-Werror")
FLAGS = ("-Os", "-g", "-std=c99", "-ffp-contract=off", "-ffreestanding", "-ffunction-sections", "-fdata-sections")
ZIG = {
    "cortex-m0plus": ("thumb-freestanding-eabi", "-mcpu=cortex_m0plus"),
    "cortex-m33": ("thumb-freestanding-eabihf", "-mcpu=cortex_m33+fp_armv8d16sp"),
    "riscv32": ("riscv32-freestanding", "-mcpu=generic_rv32+m+c"),
}
LINUX = {
    "amd64": ("x86_64-linux-musl",),
    "arm64": ("aarch64-linux-musl", "-mcpu=cortex_a53"),
    "armel": ("arm-linux-musleabihf", "-mcpu=arm1176jzf_s"),
}
ZIG_FLAGS = ("-fno-sanitize=undefined", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")
BASE = 0x20000000
TARGETS = (*ZIG, "avr")
TIMEOUT = 300
SHF_ALLOC = 2
AVR_DATA = 0x800000


@dataclass(frozen=True)
class Image:
    """A linked program.

    Attributes
    ----------
    target : str
        What it was compiled for, one of `TARGETS`.
    symbols : dict
        Name to address of functions and data.
    sections : tuple of (address, bytes)
        What is loaded where.
    flash_bytes, ram_bytes : int
        Code, constants and initial values; initialized and zeroed variables. Without stack and unwind tables. They hold
        what the kept symbols need, the compiler's own routines (soft float) included.
    compiler : str
        Name and version.
    """

    target: str
    elf: bytes
    symbols: dict[str, int]
    sections: tuple[tuple[int, bytes], ...]
    flash_bytes: int
    ram_bytes: int
    compiler: str


def cross_build(
    files: Mapping[str, bytes], target: str, symbols: Sequence[str], defines: Mapping[str, str] | None = None
) -> Image:
    """Compile and link C sources for a microcontroller, keeping only what some functions need.

    Parameters
    ----------
    files : mapping
        Relative path to content: ``.c`` and ``.h``.
    target : {"cortex-m0plus", "cortex-m33", "riscv32", "avr"}
        ``avr`` is the ATmega328P, by avr-gcc; the others go through ziglang, the M33 with its float32 unit.
    symbols : sequence of str
        The functions to keep.
    defines : mapping, optional
        Macros to define.

    Raises
    ------
    BoardError
        The target or the symbol is unknown, a tool is missing, or the compiler refuses the sources.
    """
    if target not in TARGETS:
        raise BoardError(f"no toolchain for '{target}'; there are {', '.join(TARGETS)}")
    command, version = _compiler(target)
    command += [*FLAGS, *WARNINGS, *(f"-D{name}={value}" for name, value in (defines or {}).items())]
    if not symbols or not any(name.endswith(".c") for name in files):
        raise BoardError("nothing to compile: give at least one .c file and one function to keep")
    command += ["-Wl,--gc-sections", f"-Wl,-e,{symbols[0]}", *(f"-Wl,-u,{symbol}" for symbol in symbols)]
    return _read(_linked(command, files, target), target, symbols, version)


def linux_program(files: Mapping[str, bytes], architecture: str) -> bytes:
    """Compile C sources to a static Linux program.

    Parameters
    ----------
    files : mapping
        Relative path to content: ``.c`` and ``.h``, with a ``main``.
    architecture : {"amd64", "arm64", "armel"}
        Debian's names.

    Raises
    ------
    BoardError
        ziglang is missing, or the compiler refuses the sources.
    """
    command = [*_zig(architecture), "-target", *LINUX[architecture]]
    command += ["-O2", "-std=gnu99", "-ffp-contract=off", "-static", "-fno-sanitize=undefined"]
    return _linked(command, files, architecture)


def _linked(command: Sequence[str], files: Mapping[str, bytes], target: str) -> bytes:
    """Run a compiler on sources in a folder of their own; what it links."""
    with tempfile.TemporaryDirectory(prefix="edge-lasso-") as away:
        for name, data in files.items():
            path = Path(away, relative(name))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        done = execute([*command, "-o", "image.elf", *sources_in(files)], timeout=TIMEOUT, cwd=away)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise BoardError(f"{target}: {next((line for line in lines if 'error' in line), lines[0])}")
        return Path(away, "image.elf").read_bytes()


def _zig(target: str) -> list[str]:
    command = zig()
    if command is None:
        raise BoardError(f"target '{target}' needs zig; install it with: pip install 'edge-lasso[boards]'")
    return command


def _compiler(target: str) -> tuple[list[str], str]:
    if target == "avr":
        require("avr-gcc", "target 'avr'")
        return ["avr-gcc", "-mmcu=atmega328p", "-nostartfiles"], compiler_version(["avr-gcc"])
    command = _zig(target)
    triple, cpu = ZIG[target]
    return [*command, "-target", triple, cpu, *ZIG_FLAGS, f"-Wl,--image-base={BASE}"], compiler_version(command)


def _read(elf: bytes, target: str, wanted: Sequence[str], compiler: str) -> Image:
    if not importlib.util.find_spec("elftools"):
        raise BoardError("reading an image needs pyelftools; install it with: pip install 'edge-lasso[boards]'")
    from elftools.elf.elffile import ELFFile

    file = ELFFile(io.BytesIO(elf))
    table = file.get_section_by_name(".symtab")
    symbols = {
        symbol.name: symbol["st_value"]
        for symbol in (table.iter_symbols() if table else ())
        if symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT") and symbol["st_shndx"] != "SHN_UNDEF"
    }
    for name in wanted:
        if name not in symbols:
            raise BoardError(f"{target}: the sources define no function '{name}'")
    loaded, flash, ram = [], 0, 0
    for section in file.iter_sections():
        if not section["sh_flags"] & SHF_ALLOC or not section["sh_size"] or section["sh_type"] == "SHT_ARM_EXIDX":
            continue
        zeroed = section["sh_type"] == "SHT_NOBITS"
        loaded.append((section["sh_addr"], bytes(section["sh_size"]) if zeroed else section.data()))
        # AVR keeps constants in RAM too: everything at data addresses is variable there.
        variable = section["sh_flags"] & 1 or (target == "avr" and section["sh_addr"] >= AVR_DATA)
        flash += 0 if zeroed else section["sh_size"]
        ram += section["sh_size"] if variable else 0
    return Image(target, elf, symbols, tuple(loaded), flash, ram, compiler)
