"""Deploying over a loopback sshd: checked, tried, switched at once; whatever fails leaves the old version."""

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from edge_lasso.watching.deploy import deploy, rollback, statuses, unsigned
from edge_lasso_devices import deploy as devices
from edge_lasso_devices.errors import BoardError
from edge_lasso_runtime import Factor, Input, Model, Output, Term
from edge_lasso_runtime.board import enroll
from edge_lasso_runtime.format import file_text
from edge_lasso_runtime.trust import Trust

pytestmark = pytest.mark.needs("ssh", "sshd")


def model(coef):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0), Input("b", 1, 0.0, -1.0, 1.0))
    terms = (Term(coef, (Factor(0),)), Term(-1.0, (Factor(1),)))
    return Model(("a", "b"), inputs, (Output("y", 0.5, terms),))


@pytest.fixture
def board(sshd, tmp_path):
    sshd.base = tmp_path / "installed"
    sshd.spec = f"{sshd.link}{sshd.base}"
    return sshd


def used(board):
    """The model in use."""
    text = (board.base / "current" / "model.json").read_text()
    return next(coef for coef in (1.0, 2.0, 3.0) if text == file_text(model(coef)))


def versions(board):
    return sorted(path.name for path in (board.base / "versions").iterdir())


def test_deploy_keep_the_previous_and_roll_back(board):
    first = deploy(model(1.0), board.spec)
    assert (first.previous, first.folder) == (None, str(board.base))
    assert first.text == f"version {first.version} is in place; no running process was asked"
    with pytest.raises(BoardError, match="no earlier version is kept there"):
        rollback(board.spec)
    second = deploy(model(2.0), board.spec)
    assert (used(board), second.previous) == (2.0, first.version)
    again = deploy(model(2.0), board.spec)
    assert (again.version, again.text) == (second.version, f"version {second.version} is there already")
    assert rollback(board.spec).version == first.version
    assert used(board) == 1.0
    assert rollback(board.spec).version == second.version
    [standing] = statuses([board.spec])
    assert (standing["version"], standing["previous"], standing["problem"]) == (second.version, first.version, None)
    assert not list(board.board.iterdir()), "nothing is left where it was unpacked"


def test_a_copy_that_was_damaged_is_replaced(board):
    first = deploy(model(1.0), board.spec)
    (board.base / "current" / "model.json").write_text(file_text(model(3.0)))
    assert "is damaged" in statuses([board.spec])[0]["problem"]
    assert deploy(model(1.0), board.spec).version == f"{first.version}-2"
    assert used(board) == 1.0


def test_rollback_checks_first(board):
    first = deploy(model(1.0), board.spec)
    deploy(model(2.0), board.spec)
    (board.base / "versions" / first.version / "model.json").write_text("{}")
    with pytest.raises(BoardError, match="is not whole"):
        rollback(board.spec)
    assert used(board) == 2.0


def test_folders_of_others_are_left_alone(board, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "work").mkdir(parents=True)
    (board.base / "versions").mkdir(parents=True)
    (board.base / "versions" / "mine").mkdir()
    (board.base / "versions" / "1-0123456789abcdef").symlink_to(elsewhere)
    for coef in (1.0, 2.0, 3.0):
        deploy(model(coef), board.spec)
    assert (elsewhere / "work").is_dir()
    assert {"mine", "1-0123456789abcdef"} <= set(versions(board))
    (board.base / "current").unlink()
    (board.base / "current").symlink_to("/etc")
    with pytest.raises(BoardError, match="is not a link to one of our versions"):
        deploy(model(1.0), board.spec)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.replace(b'"intercept": 0.5', b'"intercept": 0.6'), "model.json is damaged"),
        (lambda data: data[:-2000], "cut off"),
    ],
)
def test_a_bundle_that_is_refused_leaves_the_old_version(board, damage, message):
    from edge_lasso.measuring.measurement import runtime_files

    deploy(model(1.0), board.spec)
    before = versions(board)
    with pytest.raises(BoardError, match=message):
        devices.deploy(board.spec, runtime_files(), damage(unsigned(model(2.0))), ("--unsigned",))
    assert (used(board), versions(board)) == (1.0, before)


def test_a_failed_self_test_leaves_the_old_version(board, monkeypatch):
    from edge_lasso.watching import deploy as watching

    deploy(model(1.0), board.spec)
    broken = {name: data for name, data in watching.runtime_files().items() if not name.endswith("/selftest.py")}
    good = unsigned(model(2.0))
    with monkeypatch.context() as patched:
        patched.setattr(watching, "runtime_files", lambda: broken)
        bad = unsigned(model(2.0))
    assert bad != good
    with pytest.raises(BoardError, match="the self-test failed"):
        devices.deploy(board.spec, watching.runtime_files(), bad, ("--unsigned",))
    assert used(board) == 1.0


def test_a_board_that_is_enrolled_takes_bundles_of_its_signers_only(board):
    from edge_lasso.watching.deploy import deploy_bundle

    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(board.folder / "ann")], check=True)
    key = " ".join((board.folder / "ann.pub").read_text().split()[:2])
    enroll(str(board.base), Trust("boilers", "gw", 1, 1, [f"ann {key}"]))
    with pytest.raises(BoardError, match="carries no signature"):
        deploy_bundle(unsigned(model(1.0)), board.spec)


def test_corrupted_on_the_way(board):
    deploy(model(1.0), board.spec)
    (board.folder / "bin").mkdir()
    fake = board.folder / "bin" / "tar"
    fake.write_text('#!/bin/sh\n/usr/bin/tar "$@" && printf x >> new.elb\n')
    fake.chmod(0o755)
    board.login(f'PATH={board.folder}/bin:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"')
    with pytest.raises(BoardError, match="what arrived is not what was sent"):
        deploy(model(2.0), board.spec)
    assert used(board) == 1.0


@pytest.mark.parametrize("step", ["mktemp", "tar -xof", "sha256sum", "update --from"])
def test_a_connection_lost_at_any_step_leaves_the_old_version(board, step):
    deploy(model(1.0), board.spec)
    board.login(f'case "$SSH_ORIGINAL_COMMAND" in *"{step}"*) sleep 30;; esac; exec sh -c "$SSH_ORIGINAL_COMMAND"')
    timer = threading.Timer(4.0, board.cut)
    timer.start()
    with pytest.raises(BoardError, match="ssh://"):
        deploy(model(2.0), board.spec)
    timer.join()
    assert used(board) == 1.0
    board.start()
    assert deploy(model(2.0), board.spec).previous is not None
    assert used(board) == 2.0
    assert not list((board.base / "versions").glob(".new-*"))


def test_two_at_once_queue(board):
    threads = [threading.Thread(target=deploy, args=(model(coef), board.spec)) for coef in (1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(versions(board)) == 2
    assert used(board) in (1.0, 2.0)


def test_an_open_umask_gives_nothing_away(board):
    board.login('umask 0; exec sh -c "$SSH_ORIGINAL_COMMAND"')
    deploy(model(1.0), board.spec)
    open_to_all = [path for path in board.base.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert not open_to_all


def test_a_process_is_asked_before_it_is_said_to_be_in_use(board, tmp_path):
    deploy(model(1.0), board.spec)
    script = tmp_path / "restart.py"
    script.write_text(
        "import sys\nsys.path.insert(0, sys.argv[1] + '/current')\nfrom edge_lasso_runtime import load\n"
        "from edge_lasso_runtime.metrics import Metrics\n"
        "Metrics(load(sys.argv[1] + '/current/model.json'), sys.argv[2])\n"
    )
    figures = tmp_path / "board.prom"
    options = ["--restart", f"python3 {script} {board.base} {figures}", "--metrics", str(figures)]
    deployed = deploy(model(2.0), board.spec, options)
    assert deployed.text == f"version {deployed.version} is in use"
    with pytest.raises(BoardError, match=r"went back from .* no process has answered"):
        deploy(model(3.0), board.spec, ["--restart", "true", "--metrics", str(figures), "--within", "1"])
    assert used(board) == 2.0


def test_nothing_deployed(board):
    with pytest.raises(BoardError, match="enroll the board first"):
        rollback(board.spec)
    assert "nothing is there" in statuses([board.spec])[0]["problem"]


@pytest.mark.parametrize("name", ["../x", "/x", "a\nb", "a\\b"])
def test_names_that_are_refused(name):
    with pytest.raises(BoardError, match="file name"):
        devices.deploy("ssh://nobody@127.0.0.1:1", {name: b""}, b"")


def test_the_same_model_is_the_same_version(board):
    first = deploy(model(1.0), board.spec).version
    deploy(model(2.0), board.spec)
    assert deploy(model(1.0), board.spec).version == first
    state = json.loads((board.base / "state.json").read_text())
    assert (state["serial"], state["trial"]) == (0, "")
    assert Path(board.base, "current").resolve().name == first
    assert os.path.exists(board.base / "lock")
