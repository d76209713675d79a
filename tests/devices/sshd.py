"""A loopback sshd with its own configuration, keys and known hosts, on a high port."""

import getpass
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


class Sshd:
    """A running sshd. `start` and `stop` it as often as needed; `cut` ends the connections that are open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("host", "user"):
            self._run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name))
        (folder / "authorized").write_bytes((folder / "user.pub").read_bytes())
        self.trust((folder / "host.pub").read_text())
        self.process = None
        # what the machine's user has in ~/.bashrc is not under test, and costs more than what is: bash reads it when it
        # is not below another shell (Debian); the PATH then is this Python's, and the system's
        here = str(Path(sys.executable).resolve().parent)
        self.environment = {"SHLVL": "5", "PATH": f"{here}:{os.defpath}:/usr/local/bin:/usr/sbin"}
        self.banner = ""

    @property
    def link(self) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    @property
    def options(self) -> str:
        known = self.folder / "known"
        return (
            f"-F none -i {self.folder}/user -o IdentitiesOnly=yes -o UserKnownHostsFile={known} "
            "-o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o ConnectTimeout=5"
        )

    def trust(self, key: str) -> None:
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {' '.join(key.split()[:2])}\n")

    def start(self) -> None:
        if self.banner:
            (self.folder / "banner").write_text(self.banner)
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder}/host",
            f"PidFile {self.folder}/pid",
            f"AuthorizedKeysFile {self.folder}/authorized",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin yes",
            f"ForceCommand {self.folder}/login",
            "SetEnv "
            + " ".join(f"{name}={value}" for name, value in self.environment.items()),  # the first line counts
            *([f"Banner {self.folder}/banner"] if self.banner else []),
        ]
        (self.folder / "config").write_text("\n".join(lines) + "\n")
        self.login('exec sh -c "$SSH_ORIGINAL_COMMAND"')
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-f", str(self.folder / "config"), "-E", str(self.folder / "log")],
            start_new_session=True,
        )
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError((self.folder / "log").read_text())

    def login(self, text: str) -> None:
        """What runs in place of the login shell."""
        path = self.folder / "login.new"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        path.replace(self.folder / "login")

    def cut(self) -> None:
        """End every open connection and the server, as a power cut does."""
        for pid in _descendants(self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.stop()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @staticmethod
    def _run(*argv: str) -> None:
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


def _descendants(pid: int) -> list[int]:
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            child = int(path.parent.name)
            children += [child, *_descendants(child)]
    return children
