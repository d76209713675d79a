"""An update that is killed, or whose disk fails, at any of its system calls that write: one whole version serves.

`strace` (Debian) injects the fault at the n-th call. A sample runs with the suite; every point with
``EDGE_LASSO_CUTS=all``, which prints the number of points.
"""

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fleets import Fleet, Keys

from edge_lasso_runtime.versions import check, current

pytestmark = [pytest.mark.needs("ssh-keygen", "strace"), pytest.mark.unmeasured]
RUNTIME = Path(sys.modules["edge_lasso_runtime"].__file__).parent.parent
CALLS = (
    "openat",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "rename",
    "mkdir",
    "symlink",
    "unlink",
    "unlinkat",
    "rmdir",
    "flock",
)
FAULTS = ("signal=KILL", "error=EIO", "error=ENOSPC")
FILES = 45
SAMPLE = 40


def run(home, source, *strace):
    command = [
        sys.executable,
        "-B",
        "-m",
        "edge_lasso_runtime",
        "update",
        "--home",
        home,
        "--from",
        source,
        "--keep",
        "2",
    ]
    environment = {**os.environ, "PYTHONPATH": str(RUNTIME)}
    return subprocess.run([*strace, *command], capture_output=True, text=True, env=environment, check=False)


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A board with two versions, so that the third clears the first, and a source that offers the third."""
    folder = tmp_path_factory.mktemp("cuts")
    fleet = Fleet(folder, Keys(tmp_path_factory.mktemp("keys")))
    now = float(int(time.time()))
    for serial in (5, 6, 7):
        files = {**fleet.files(), **{f"more/file{i:02}": b"x" * 100 * i for i in range(FILES)}}
        fleet.bundle(serial=serial, files=files, created=now - 60.0, expires=now + 1e6)
        if serial < 7:
            assert fleet.update(now=now).changed
    return fleet.home, fleet.source


def points(home, source, folder):
    """Every call of an update that writes: its name and which one it is; where it begins to touch the board's folder."""
    log = folder / "log"
    shutil.copytree(home, folder / "counted", symlinks=True)
    traced = ["strace", "-o", str(log), "-e", f"trace={','.join(CALLS)}"]
    assert run(str(folder / "counted"), str(source), *traced).returncode == 0
    counts, found = Counter(), []
    for line in log.read_text().splitlines():
        name = line.partition("(")[0]
        if name not in CALLS:
            continue
        counts[name] += 1
        if name == "openat" and "O_CREAT" not in line:
            continue
        found.append((name, counts[name]))
    return found


def test_cut_at_every_call_that_writes(before, tmp_path, tried):
    home, source = before
    old = current(str(home))
    every = [(call, n, fault) for call, n in points(home, source, tmp_path) for fault in FAULTS]
    assert len(every) >= 500, f"{len(every)} points"
    whole = os.environ.get("EDGE_LASSO_CUTS") == "all"
    sample, served = every if whole else every[:: len(every) // SAMPLE], Counter()
    for i, (call, n, fault) in enumerate(sample):
        board = tmp_path / f"board{i}"
        shutil.copytree(home, board, symlinks=True)
        inject = ["strace", "-o", os.devnull, "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={n}"]
        done = run(str(board), str(source), *inject)
        at = f"{call} {n} {fault}: {done.stderr}"
        assert "Traceback" not in done.stderr, at
        version = current(str(board))
        check(str(board), version)
        served["old" if version == old else "new"] += 1
        again = run(str(board), str(source))
        assert again.returncode == 0, f"{at}\n{again.stderr}"
        assert current(str(board)).startswith("7-"), at
        check(str(board), current(str(board)))
        left = [path.name for path in board.rglob("*") if path.name.endswith(".tmp") or path.name.startswith(".new-")]
        assert not left, at
        shutil.rmtree(board)
    tried("interrupted: update, on a board", len(sample))
    print(f"\n{len(sample)} cuts of {len(every)} points: {dict(served)} version whole in use, 0 inconsistent")
    assert set(served) == {"old", "new"}
