"""MicroPython with 32-bit floats: the micro:bit's firmware (Debian's package) on QEMU's micro:bit, by its raw REPL."""

import os
import select
import shutil
import subprocess
import time
from pathlib import Path

FIRMWARE = Path("/usr/share/firmware-microbit-micropython/firmware.hex")
EMULATOR = "qemu-system-arm"
PATIENCE = 60.0
# The board keeps 64 bytes of its serial line and drops the rest, so a statement is sent only after the one before ran.
PIECE = 40


def available():
    """Whether emulator and firmware are here."""
    return shutil.which(EMULATOR) is not None and FIRMWARE.is_file()


class Microbit:
    """A running board. A context manager."""

    def __init__(self):
        loader = f"loader,file={FIRMWARE}"
        argv = [
            EMULATOR,
            "-M",
            "microbit",
            "-device",
            loader,
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "stdio",
        ]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.unread = b""

    def __enter__(self):
        self._until(b">>> ")
        self.process.stdin.write(b"\x01")
        self.process.stdin.flush()
        self._until(b"raw REPL; CTRL-B to exit\r\n>")
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()

    def run(self, code):
        """Run code; returns what it prints, raises RuntimeError with its traceback."""
        self._statement("import gc;gc.collect();S=''")
        rest = code
        while rest:
            size = PIECE - 6
            while len(repr(rest[:size])) > PIECE - 4:
                size -= 1
            self._statement(f"S+={rest[:size]!r}")
            rest = rest[size:]
        self._statement("gc.collect()")
        return self._statement("exec(S)")

    def _statement(self, text):
        self.process.stdin.write(text.encode("ascii") + b"\x04")
        self.process.stdin.flush()
        self._until(b"OK")
        printed = self._until(b"\x04")
        failure = self._until(b"\x04>")
        if failure:
            raise RuntimeError(failure.decode("ascii", "replace"))
        return printed.decode("ascii").replace("\r\n", "\n")

    def _until(self, end):
        deadline = time.monotonic() + PATIENCE
        while end not in self.unread:
            ready, _, _ = select.select([self.process.stdout], [], [], 1.0)
            if ready:
                self.unread += os.read(self.process.stdout.fileno(), 4096)
            elif time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"the micro:bit does not answer: {self.unread[-200:]!r}")
        answer, _, self.unread = self.unread.partition(end)
        return answer
