"""A PostgreSQL server of one's own for a moment, where its programs are installed."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from edge_lasso_devices.tools import here

ROOT = 0


@cache
def psql() -> list[str] | None:
    """The command that talks to a server: the one that PGHOST names, or one started here until Python ends; or None.

    PostgreSQL refuses to run as root: then it runs as the user `postgres`.
    """
    if not here("psql"):
        return None
    if os.environ.get("PGHOST"):
        return ["psql"]
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    initdb = shutil.which("initdb") or (str(programs[-1]) if programs else None)
    if initdb is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="edge-lasso-postgres-"))
    as_user: list[str] = []
    if os.getuid() == ROOT:
        if subprocess.run(["id", "postgres"], capture_output=True).returncode or shutil.which("runuser") is None:
            return None
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data = str(folder / "data")
    control = [*as_user, str(Path(initdb).with_name("pg_ctl")), "-D", data]
    settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
    setup = [*as_user, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    started = [*control, "-w", "-o", settings, "-l", str(folder / "log"), "start"]
    for command in (setup, started):
        if subprocess.run(command, **quiet).returncode:  # type: ignore[call-overload]
            shutil.rmtree(folder, ignore_errors=True)
            return None

    def stop() -> None:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    return [*as_user, "psql", "-h", str(folder), "-U", "postgres", "postgres"]
