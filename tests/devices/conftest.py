import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("loopback_sshd", Path(__file__).with_name("sshd.py"))
assert spec is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


@pytest.fixture
def sshd(tmp_path, monkeypatch):
    """A loopback sshd of this test's own, running; its working folders are made in tmp_path/board."""
    (tmp_path / "sshd").mkdir()
    (tmp_path / "board").mkdir()
    server = module.Sshd(tmp_path / "sshd")
    server.environment["TMPDIR"] = str(tmp_path / "board")
    server.board = tmp_path / "board"
    monkeypatch.setenv("EDGE_LASSO_SSH_OPTIONS", server.options)
    server.start()
    yield server
    server.stop()
