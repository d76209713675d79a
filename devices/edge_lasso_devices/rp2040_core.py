"""RP2040 through rp2040js in node: exact instructions and stack, cycles of code in SRAM."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from .cores import LIMIT, Argument, CallResult, Returns, check_call, decode, place
from .cross import BASE, Image
from .errors import BoardError
from .micropython import find_node, node_modules, npm_install
from .processes import execute

HARNESS = Path(__file__).with_name("rp2040_harness.mjs")
PACKAGE = Path("rp2040js", "dist", "esm", "index.js")
BUFFERS = BASE + 0x30000
STACK = BASE + 264 * 1024
BACK = BASE + 0x2FFF0
TIMEOUT = 120


class Rp2040Core:
    """The Cortex-M0+ of a Raspberry Pi Pico."""

    target = "cortex-m0plus"

    def __init__(self, name: str) -> None:
        self.name = name
        node = find_node()
        package = next((folder / PACKAGE for folder in node_modules() if (folder / PACKAGE).is_file()), None)
        if node is None or package is None:
            raise BoardError(
                f"core 'rp2040' needs node 18 or later and rp2040js; install it with: {npm_install('rp2040js')}"
            )
        self._command = [node, str(HARNESS), str(package)]
        self._package = package.parents[2] / "package.json"

    def describe(self) -> str:
        """The emulator's version."""
        return f"RP2040 in rp2040js {json.loads(self._package.read_text(encoding='utf-8'))['version']}"

    def call(
        self, image: Image, symbol: str, memory: Sequence[Argument] = (), returns: Returns = "int32"
    ) -> CallResult:
        """Call a function; see `Core.call`."""
        entry = check_call(self, image, symbol, memory)
        arguments, buffers = place(memory, BUFFERS)
        if any(at + len(data) > BACK for at, data in image.sections):
            raise BoardError("the image does not fit beside its data into the RP2040's SRAM")
        if any(at + len(data) > STACK - 0x1000 for at, data in buffers):
            raise BoardError(f"the arguments of '{symbol}' do not fit into the RP2040's SRAM")
        job = {
            "sections": [[at, data.hex()] for at, data in image.sections],
            "buffers": [[at, data.hex()] for at, data in buffers],
            "arguments": arguments,
            "entry": entry,
            "stack": STACK,
            "back": BACK,
            "limit": LIMIT,
        }
        done = execute(self._command, json.dumps(job), timeout=TIMEOUT)
        if done.returncode != 0:
            raise BoardError(f"rp2040js does not run: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        answer = json.loads(done.stdout)
        if not answer["returned"]:
            raise BoardError(f"'{symbol}' did not return on the RP2040: {answer['fault'] or f'{LIMIT} instructions'}")
        left = tuple(bytes.fromhex(buffer) for buffer in answer["buffers"])
        value = decode(bytes.fromhex(answer["raw"]), returns)
        return CallResult(value, left, answer["instructions"], answer["cycles"], answer["stack"])
