import pytest
from sshd import Sshd


@pytest.fixture
def sshd(tmp_path, monkeypatch):
    """A loopback sshd of this test's own, running; its working folders are made in tmp_path/board."""
    (tmp_path / "sshd").mkdir()
    (tmp_path / "board").mkdir()
    server = Sshd(tmp_path / "sshd")
    server.environment["TMPDIR"] = str(tmp_path / "board")
    server.board = tmp_path / "board"
    monkeypatch.setenv("EDGE_LASSO_SSH_OPTIONS", server.options)
    server.start()
    yield server
    server.stop()
