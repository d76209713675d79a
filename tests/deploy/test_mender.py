"""The update module for Mender, called as Mender calls it; Mender itself is not run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleets import Fleet, Keys

from edge_lasso.measuring.measurement import runtime_files

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "deploy" / "mender" / "edge-lasso"
pytestmark = pytest.mark.needs("ssh-keygen")


@pytest.fixture
def board(tmp_path):
    board = Fleet(tmp_path, Keys(tmp_path))
    now = float(int(time.time()))
    runtime = runtime_files()

    def offer(serial, by="ann", count=1):
        away = tmp_path / f"tree{serial}"
        (away / "files").mkdir(parents=True)
        board.bundle(serial=serial, by=(by,), files={**board.files(), **runtime}, created=now - 60, expires=now + 1e6)
        for i in range(count):
            (away / "files" / f"b{i}.elb").write_bytes((board.source / "new.elb").read_bytes())
        return away

    def call(state, away):
        config = tmp_path / "mender.conf"
        config.write_text(f"HOME_DIR={board.home}\nPYTHON={sys.executable}\nOPTIONS='--wait 10'\n")
        environment = {**os.environ, "EDGE_LASSO_MENDER_CONFIG": str(config)}
        done = subprocess.run([MODULE, state, away], capture_output=True, text=True, env=environment, check=False)
        return done.returncode, done.stdout + done.stderr

    first = offer(5)
    board.update(first / "files", now=now)
    return board, offer, call


def test_an_artifact_is_installed_and_rolled_back(board):
    board, offer, call = board
    away = offer(6)
    assert call("SupportsRollback", away) == (0, "Yes\n")
    assert call("NeedsArtifactReboot", away) == (0, "No\n")
    assert call("Download", away) == (0, "")
    code, text = call("ArtifactInstall", away)
    assert (code, "is in place" in text) == (0, True), text
    assert board.serves().startswith("6-")
    assert call("ArtifactRollback", away)[0] == 0
    assert board.serves().startswith("5-")
    assert call("ArtifactRollback", away) == (0, ""), "once is enough"
    assert board.serves().startswith("5-")


def test_what_is_refused_leaves_the_old_version(board):
    board, offer, call = board
    for away, message in ((offer(7, by="eve"), "not signed by whom"), (offer(8, count=2), "must hold one bundle")):
        code, text = call("ArtifactInstall", away)
        assert (code, message in text) == (1, True), text
        assert call("ArtifactRollback", away) == (0, "")
        assert board.serves().startswith("5-")
