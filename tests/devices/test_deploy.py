"""Deploying over a loopback sshd: checked, tried, switched at once; whatever fails leaves the old version."""

import threading

import pytest

from edge_lasso_devices.deploy import deploy, rollback, unit, version_of
from edge_lasso_devices.errors import BoardError

pytestmark = pytest.mark.needs("ssh", "sshd")
TEST = ["python3", "check.py"]


def files(word):
    return {"check.py": b"import pathlib; assert pathlib.Path('data/word').read_text()", "data/word": word.encode()}


@pytest.fixture
def board(sshd, tmp_path):
    sshd.base = tmp_path / "installed"
    sshd.spec = f"{sshd.link}{sshd.base}"
    return sshd


def word(board):
    return (board.base / "current" / "data" / "word").read_text()


def test_deploy_keep_the_previous_and_roll_back(board):
    first = deploy(board.spec, files("one"), TEST)
    assert (first.version, first.previous, first.folder) == (version_of(files("one")), None, str(board.base))
    with pytest.raises(BoardError, match="no earlier version is kept there"):
        rollback(board.spec)
    second = deploy(board.spec, files("two"), TEST)
    assert (word(board), second.previous) == ("two", first.version)
    assert deploy(board.spec, files("two"), TEST) == second, "the same files again change nothing"
    assert rollback(board.spec).version == first.version
    assert word(board) == "one"
    assert rollback(board.spec) == second
    deploy(board.spec, files("three"), TEST)
    kept = {path.name for path in (board.base / "versions").iterdir()}
    assert kept == {version_of(files("two")), version_of(files("three"))}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (["sh", "-c", "echo vector 3 differs >&2; exit 1"], "nothing was switched: vector 3 differs"),
        (["absent"], "absent"),
    ],
)
def test_a_failed_self_test_leaves_the_old_version(board, test, message):
    deploy(board.spec, files("one"), TEST)
    with pytest.raises(BoardError, match=message):
        deploy(board.spec, files("two"), test)
    assert word(board) == "one"
    assert [path.name for path in (board.base / "versions").iterdir()] == [version_of(files("one"))]


def test_corrupted_on_the_way(board):
    deploy(board.spec, files("one"), TEST)
    (board.folder / "bin").mkdir()
    fake = board.folder / "bin" / "tar"
    fake.write_text('#!/bin/sh\n/usr/bin/tar "$@" && printf x >> data/word\n')
    fake.chmod(0o755)
    board.login(f'PATH={board.folder}/bin:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(BoardError, match="what arrived is not what was sent"):
        deploy(board.spec, files("two"), TEST)
    assert word(board) == "one"


@pytest.mark.parametrize("step", ["mkdir -p", "pwd", "tar -xof", "sha256sum", "check.py", "mv versions"])
def test_a_connection_lost_at_any_step_leaves_the_old_version(board, step):
    deploy(board.spec, files("one"), TEST)
    board.login(f'case "$SSH_ORIGINAL_COMMAND" in *"{step}"*) sleep 30;; esac; exec sh -c "$SSH_ORIGINAL_COMMAND"')
    timer = threading.Timer(2.5, board.cut)
    timer.start()
    with pytest.raises(BoardError, match="ssh://"):
        deploy(board.spec, files("two"), TEST)
    timer.join()
    assert word(board) == "one"
    board.start()
    assert deploy(board.spec, files("two"), TEST).previous == version_of(files("one"))
    assert not list((board.base / "versions").glob(".new-*"))


def test_nothing_deployed(board):
    with pytest.raises(BoardError, match="nothing is deployed there"):
        rollback(board.spec)


@pytest.mark.parametrize("name", ["../x", "/x", "a\nb", "a\\b"])
def test_names_that_are_refused(name):
    with pytest.raises(BoardError, match="file name"):
        deploy("ssh://nobody@127.0.0.1:1", {name: b""}, TEST)


def test_unit_text():
    text = unit("Scores", "/home/pi/edge-lasso", ["python3", "a b", '50%"$'], "pi")
    assert 'ExecStart="python3" "a b" "50%%\\"$$"\n' in text
    assert "WorkingDirectory=/home/pi/edge-lasso/current\n" in text
    assert "StateDirectory" not in text
    assert "\nStateDirectory=edge-lasso\n" in unit("Scores", "/home/pi", ["a"], "pi", "edge-lasso")
    with pytest.raises(BoardError, match="control character"):
        unit("x\nExecStart=/bin/rm", "/", ["a"], "pi")
