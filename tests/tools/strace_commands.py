"""Commands under strace: their system calls that change files, and runs in which one of them fails or kills."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "openat",
    "ftruncate",
)
FAULTS = ("error=EIO", "error=ENOSPC", "signal=SIGKILL")
WARM = Path(__file__).with_name("warm_commands.py")


@dataclass(frozen=True)
class Point:
    """The n-th call of a kind that a command makes."""

    call: str
    number: int
    text: str


@dataclass(frozen=True)
class Done:
    """How a run ended; a negative code is a signal."""

    code: int
    err: str


class Warm:
    """A process that has imported everything and forks for each run."""

    def __init__(self, folder: Path):
        self.folder = folder
        environment = {
            **os.environ, "SOURCE_DATE_EPOCH": "1700000000", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "100",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        while self.process.stdout.readline() != "ready\n":  # modules for MicroPython say where they run
            assert self.process.poll() is None

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def run(self, argv, program="edge-lasso", strace=None, limit=None) -> Done:
        """Run a command; `strace`: its options."""
        job = {"argv": [str(word) for word in argv], "program": program, "traced": strace is not None, "limit": limit}
        self._tell(json.dumps(job))
        child = self.process.stdout.readline().strip()
        if strace is not None:
            tracer = subprocess.Popen(["strace", *strace, "-p", child], stderr=subprocess.PIPE, text=True)
            said = tracer.stderr.readline()
            assert "attached" in said, said
            self._tell("go")
        code, err = json.loads(self.process.stdout.readline())
        if strace is not None:
            tracer.communicate(timeout=60)
        return Done(code, err)

    def _tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def points(self, argv, where: Path, program="edge-lasso") -> list[Point]:
        """The calls that change something in a folder."""
        log = self.folder / "calls"
        done = self.run(argv, program, ["-y", "-s", "300", "-o", str(log), "-e", f"trace={','.join(CALLS)}"])
        assert done.code == 0, done.err
        counts, points = dict.fromkeys(CALLS, 0), []
        for line in log.read_text().splitlines():
            match = re.match(r"(\w+)\((.*)", line)
            if not match or match[1] not in counts:
                continue
            call, rest = match.groups()
            counts[call] += 1
            if str(where) in rest and (call != "openat" or "O_CREAT" in rest):
                points.append(Point(call, counts[call], line[:200]))
        return points

    def struck(self, argv, point: Point, fault: str, program="edge-lasso") -> Done:
        """Run a command in which one call fails, or kills the process."""
        inject = f"inject={point.call}:{fault}:when={point.number}"
        return self.run(argv, program, ["-o", os.devnull, "-e", f"trace={point.call}", "-e", inject])
