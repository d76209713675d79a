"""Boards over ssh, through the system's own ssh: the user's configuration, keys and agent are honoured.

Everything a command prints is found between markers, so that banners and chatty login scripts cannot get into results.
"""

from __future__ import annotations

import io
import os
import secrets
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from .errors import BoardError
from .folders import relative
from .processes import Completed, execute
from .shells import Kind, Shell
from .tools import require

CONNECT_TIMEOUT = 15
SCRIPT_TIMEOUT = 120
OPTIONS = (
    "BatchMode=yes",
    "LogLevel=ERROR",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
)
HINTS = (
    (
        "host key verification failed",
        "its host key is unknown or has changed; check it and connect once by hand: ssh {}",
    ),
    ("identification has changed", "its host key has changed; check why, then: ssh-keygen -R {}"),
    ("permission denied", "it refused every key; set up a key first: ssh-copy-id {}"),
    ("could not resolve", "no such host"),
    ("connection refused", "nothing listens there; is the board on and sshd running?"),
    ("timed out", "no answer; is the board on and in this network?"),
    ("no route to host", "no route to it; is the board on and in this network?"),
)


class SshLink:
    """One connection to a board, and scripts that run over it.

    Parameters
    ----------
    spec : str
        ``ssh://[user@]host[:port][/folder]``. ``EDGE_LASSO_SSH_OPTIONS`` adds options to every call of ssh.
    """

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._destination, self.folder = _parse(spec)
        require("ssh", spec)
        self._control = tempfile.mkdtemp(prefix="el-")
        self._master: subprocess.Popen[bytes] | None = None
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def script(
        self, text: str, stdin: str | bytes | None = None, timeout: float | None = None, lines: bool = False
    ) -> Completed:
        """Run a line of POSIX shell on the board; BoardError when the connection is lost on the way.

        With `lines`, a script that fails is an error whose text is the last line that it printed to standard error.
        """
        mark = f"edge-lasso-{secrets.token_hex(8)}"
        both = f"printf '\\n{mark}\\n'; printf '\\n{mark}\\n' >&2; "
        ended = f"; code=$?; printf '\\n{mark} %d\\n' $code; printf '\\n{mark}\\n' >&2"
        command = f"sh -c {shlex.quote(f'{both}( {text} ){ended}')}"
        limit = SCRIPT_TIMEOUT if timeout is None else timeout + CONNECT_TIMEOUT
        done = execute([*self._ssh(), "-o", "ControlMaster=no", *self._destination, command], stdin, limit)
        _, _, rest = done.stdout.partition(f"\n{mark}\n")
        out, end, tail = rest.rpartition(f"\n{mark} ")
        if not end:
            raise BoardError(f"{self.spec}: {self._reason(done.stderr, 'the connection was lost')}")
        err = done.stderr.partition(f"\n{mark}\n")[2].rpartition(f"\n{mark}\n")[0]
        answer = Completed(int(tail.split()[0]), out, err)
        if lines and answer.returncode != 0:
            said = [line for line in err.strip().splitlines() if line.strip()]
            raise BoardError(f"{self.spec}: {said[-1] if said else f'exit status {answer.returncode}'}")
        return answer

    def send(self, files: Mapping[str, bytes], folder: str) -> None:
        """Unpack files into a folder of the board."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(str(relative(name)))
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        self.script(f"cd {shlex.quote(folder)} && tar -xof -", packed.getvalue(), lines=True)

    def close(self) -> None:
        """Close the connection."""
        if self._master is not None:
            self._master.terminate()
            try:
                self._master.wait(5)
            except subprocess.TimeoutExpired:
                self._master.kill()
                self._master.wait()
            self._master = None
        shutil.rmtree(self._control, ignore_errors=True)

    def _ssh(self) -> list[str]:
        options = [part for option in (*OPTIONS, f"ConnectTimeout={CONNECT_TIMEOUT}") for part in ("-o", option)]
        own = shlex.split(os.environ.get("EDGE_LASSO_SSH_OPTIONS", ""))
        return ["ssh", *options, *own, "-o", f"ControlPath={self._control}/s"]

    def _connect(self) -> None:
        # The master is a child of ours: one that ssh puts into the background may keep our pipes open.
        log = Path(self._control, "log")
        command = [*self._ssh(), "-o", "ControlMaster=yes", "-o", "ControlPersist=no", "-N", *self._destination]
        with log.open("wb") as errors:
            self._master = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
        deadline = time.monotonic() + CONNECT_TIMEOUT + 5
        while not Path(self._control, "s").exists():
            if self._master.poll() is not None or time.monotonic() > deadline:
                raise BoardError(f"{self.spec}: {self._reason(log.read_text(errors='replace'), 'no answer')}")
            time.sleep(0.01)

    def _reason(self, text: str, otherwise: str) -> str:
        host = self._destination[-1]
        for part, hint in HINTS:
            if part in text.lower():
                return hint.format(host)
        lines = [line.strip() for line in text.splitlines() if line.startswith(("ssh:", "kex_", "client_loop:"))]
        return f"{otherwise} ({lines[-1]})" if lines else otherwise


class SshShell(Shell):
    """A working folder on a board, reached by ssh; needs ``sh``, ``tar`` and ``python3`` there."""

    kind: Kind = "measured"

    def __init__(self, spec: str) -> None:
        self._link = SshLink(spec)
        self._folder = ""
        base = shlex.quote(self._link.folder) if self._link.folder else '"${TMPDIR:-/tmp}"'
        # Folders that a lost connection left behind a day ago are cleared on the way.
        stale = (
            f"find {base} -maxdepth 1 -name 'edge-lasso-??????' -user \"$(id -un)\" -mtime +0 "
            "-exec rm -rf {} + 2>/dev/null; "
        )
        python = "command -v python3 >/dev/null || { echo 'no python3 there; install it on the board' >&2; exit 3; }; "
        try:
            done = self._link.script(python + stale + f"mktemp -d {base}/edge-lasso-XXXXXX", lines=True)
            self._folder = done.stdout.strip()
        except BaseException:
            self._link.close()
            raise
        self.python = ("python3",)

    @property
    def folder(self) -> str:
        """The working folder's path on the board."""
        return self._folder

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files into the working folder."""
        self._link.send(files, self._folder)

    def run(self, argv: Sequence[str], stdin: str | None = None, timeout: float | None = None) -> Completed:
        """Run a command in the working folder."""
        command = shlex.join(argv)
        guard = ""
        if timeout is not None:
            seconds = max(1, round(timeout))
            guard = f"T=; command -v timeout >/dev/null && T='timeout -s KILL {seconds}'; "
            command = f"$T {command}"
        program = shlex.quote(argv[0])
        there = f"command -v {program} >/dev/null || {{ echo {program}: not found >&2; exit 127; }}; "
        done = self._link.script(f"cd {shlex.quote(self._folder)} && {{ {guard}{there}{command}; }}", stdin, timeout)
        if done.returncode == 127 and done.stderr.strip() == f"{argv[0]}: not found":
            raise BoardError(f"{self._link.spec}: cannot run {argv[0]!r}: not found")
        if timeout is not None and done.returncode == 137:
            raise BoardError(f"{self._link.spec}: {argv[0]!r} did not finish within {timeout:g} s; it was ended")
        return done

    def describe(self) -> str:
        """Model, machine and Python of the board."""
        program = "import platform as p; print(p.machine() + ',', p.python_implementation(), p.python_version())"
        model = "tr -d '\\0' 2>/dev/null </proc/device-tree/model || uname -n"
        done = self._link.script(f"{model}; echo; python3 -c {shlex.quote(program)}", lines=True)
        answers = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        return f"{self._link.spec}: {', '.join(answers)}"

    def close(self) -> None:
        """Remove the working folder and close the connection."""
        folder, self._folder = self._folder, ""
        try:
            if folder:
                self._link.script(f"rm -rf {shlex.quote(folder)}", lines=True)
        except BoardError:
            # Lost on the way: what the failed call said matters more, and the next link clears the folder.
            pass
        finally:
            self._link.close()


def _parse(spec: str) -> tuple[list[str], str]:
    try:
        parts = urlsplit(spec)
        host, port = parts.hostname, parts.port
    except ValueError:  # brackets, or a port, that are none
        parts, host, port = urlsplit(""), None, None
    fault = parts.scheme != "ssh" or not host or host.startswith("-") or (parts.username or "").startswith("-")
    if fault or parts.password or parts.query or parts.fragment or not host:
        raise BoardError(f"link '{spec}' is not of the form ssh://user@host[:port][/folder]")
    destination = f"{parts.username}@{host}" if parts.username else host
    folder = str(PurePosixPath(parts.path)) if parts.path not in ("", "/") else ""
    return [*(["-p", str(port)] if port else []), "--", destination], folder
