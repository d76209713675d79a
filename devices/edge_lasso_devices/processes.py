"""Running a command of this machine, so that a time-out ends all of it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import BoardError


@dataclass(frozen=True)
class Completed:
    """What a command answered: its exit status and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def execute(
    argv: Sequence[str],
    stdin: str | bytes | None = None,
    timeout: float | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a command of this machine in a process group of its own, so that a time-out ends all of it."""
    try:
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise BoardError(f"cannot run {argv[0]!r}: {error.strerror or error}") from None
    with process:
        try:
            out, err = process.communicate(stdin.encode() if isinstance(stdin, str) else stdin, timeout)
        except subprocess.TimeoutExpired:
            raise BoardError(f"{argv[0]!r} did not finish within {timeout:g} s; it was ended") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return Completed(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
