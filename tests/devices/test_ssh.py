"""ssh over a loopback sshd: results, and every way a board can fail; nothing left behind."""

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.links import open_link

pytestmark = pytest.mark.needs("ssh", "sshd")


@pytest.fixture(autouse=True)
def _nothing_left_here(monkeypatch, tmp_path):
    # Sockets have short paths: not below tmp_path.
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield
        assert os.listdir(folder) == []


def test_runs_in_its_own_folder_and_leaves_nothing(sshd):
    with open_link(sshd.link) as shell:
        shell.put(
            {"sub/a.py": b"import os, sys; print(os.getcwd(), sys.stdin.read(), 'caf\xc3\xa9')", "b": b"\0\xff\n" * 999}
        )
        done = shell.run([*shell.python, "sub/a.py"], stdin="hello 'world' $HOME")
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{shell.folder} hello 'world' $HOME café\n"
        assert Path(shell.folder).parent == sshd.board
        assert Path(shell.folder, "b").read_bytes() == b"\0\xff\n" * 999
        assert shell.kind == "measured"
        assert "CPython" in shell.describe()
        argument = "a 'b' \"c\" $d `e` \\f\n*"
        assert shell.run(["printf", "%s", argument]).stdout == argument
        failed = shell.run(["sh", "-c", "echo out; echo err >&2; exit 5"])
        assert (failed.returncode, failed.stdout, failed.stderr) == (5, "out\n", "err\n")
    assert list(sshd.board.iterdir()) == []


def test_a_folder_of_the_users_choice(sshd, tmp_path):
    (tmp_path / "mine here").mkdir()
    with pytest.raises(BoardError, match="No such file or directory"):
        open_link(f"{sshd.link}{tmp_path}/absent")
    (tmp_path / "mine").mkdir()
    with open_link(f"{sshd.link}{tmp_path}/mine") as shell:
        assert Path(shell.folder).parent == tmp_path / "mine"
    assert list((tmp_path / "mine").iterdir()) == []


def test_banners_and_chatty_logins_do_not_get_into_results(sshd):
    sshd.stop()
    sshd.banner = "WELCOME\nto this board\n"
    sshd.start()
    sshd.login('echo noise; echo more noise >&2; sh -c "$SSH_ORIGINAL_COMMAND"; code=$?; echo bye; exit $code')
    with open_link(sshd.link) as shell:
        done = shell.run(["printf", "result"])
        assert (done.stdout, done.stderr) == ("result", "")


def test_missing_programs_and_time_outs(sshd):
    with open_link(sshd.link) as shell:
        with pytest.raises(BoardError, match="cannot run 'no-such-program': not found"):
            shell.run(["no-such-program"])
        started = time.monotonic()
        with pytest.raises(BoardError, match="'sleep' did not finish within 1 s"):
            shell.run(["sleep", "60"], timeout=1)
        assert time.monotonic() - started < 10
        assert shell.run(["echo", "on"]).stdout == "on\n"


def test_lost_connection(sshd):
    shell = open_link(sshd.link)
    threading.Timer(0.5, sshd.cut).start()
    with pytest.raises(BoardError, match=r"ssh://.*: the connection was lost"):
        shell.run(["sleep", "30"])
    shell.close()


def test_wrong_host_key(sshd):
    sshd.trust((sshd.folder / "user.pub").read_text())
    with pytest.raises(BoardError, match=r"host key .*has changed"):
        open_link(sshd.link)


def test_unknown_host_key(sshd):
    (sshd.folder / "known").write_text("")
    with pytest.raises(BoardError, match="host key is unknown or has changed"):
        open_link(sshd.link)


def test_refused_key(sshd):
    (sshd.folder / "authorized").write_text("")
    with pytest.raises(BoardError, match="refused every key; set up a key first"):
        open_link(sshd.link)


def test_nothing_listens(sshd):
    sshd.stop()
    with pytest.raises(BoardError, match="nothing listens there"):
        open_link(sshd.link)


def test_no_python(sshd, tmp_path):
    (tmp_path / "bin").mkdir()
    for name in ("sh", "printf", "mktemp", "find", "id", "rm"):
        (tmp_path / "bin" / name).symlink_to(f"/usr/bin/{name}")
    sshd.login(f'PATH={tmp_path}/bin exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(BoardError, match="no python3 there; install it on the board"):
        open_link(sshd.link)
    assert list(sshd.board.iterdir()) == []


@pytest.mark.parametrize("fault", ["No space left on device", "Read-only file system"])
def test_a_full_or_read_only_disk_is_named(sshd, fault):
    sshd.login(f'PATH={sshd.folder}/bin:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"')
    (sshd.folder / "bin").mkdir()
    fake = sshd.folder / "bin" / "tar"
    fake.write_text(f"#!/bin/sh\ncat >/dev/null\necho 'tar: x: Cannot write: {fault}' >&2\nexit 2\n")
    fake.chmod(0o755)
    with pytest.raises(BoardError, match=fault), open_link(sshd.link) as shell:
        shell.put({"x": b"1"})
    assert list(sshd.board.iterdir()) == []


@pytest.mark.parametrize("spec", ["ssh://", "ssh://-oProxyCommand=x", "ssh://a:b@c", "ssh://h:port", "ssh://h?x"])
def test_malformed_links(spec):
    with pytest.raises(BoardError, match="is not of the form ssh://user@host"):
        open_link(spec)


def test_stale_folders_are_cleared(sshd):
    old, other = sshd.board / "edge-lasso-abcdef", sshd.board / "keep"
    for folder in (old, other):
        folder.mkdir()
        os.utime(folder, (0, 0))
    open_link(sshd.link).close()
    assert list(sshd.board.iterdir()) == [other]
