"""A board's updates: where bundles come from, how a version is tried, and every way back."""

import functools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fleets import NOW, Fleet, Keys, model
from sshd import Sshd

from edge_lasso.measuring.measurement import runtime_files
from edge_lasso_runtime import dumps, trust
from edge_lasso_runtime.__main__ import main
from edge_lasso_runtime.board import enroll, status
from edge_lasso_runtime.errors import UpdateError
from edge_lasso_runtime.locks import locked
from edge_lasso_runtime.metrics import Metrics
from edge_lasso_runtime.step import start, step
from edge_lasso_runtime.trial import Trial, restart
from edge_lasso_runtime.update import rollback, update
from edge_lasso_runtime.versions import check

pytestmark = pytest.mark.needs("ssh-keygen")
RUNTIME = Path(sys.modules["edge_lasso_runtime"].__file__).parent


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def fleet(tmp_path, keys):
    fleet = Fleet(tmp_path, keys)
    fleet.bundle(serial=5)
    fleet.update()
    fleet.clear()
    return fleet


@pytest.fixture
def rows(tmp_path):
    """Rows that have been: y = 2 a - b + 0.5."""
    path = tmp_path / "rows.csv"
    lines = [f"{i / 50 - 1},{1 - i / 60},{2 * (i / 50 - 1) - (1 - i / 60) + 0.5}" for i in range(100)]
    path.write_text("a,b,y\n" + "\n".join(lines) + "\n")
    return path


def test_update_again_and_roll_back_and_forth(fleet):
    first = fleet.serves()
    fleet.bundle(serial=6, coef=3.0)
    outcome = fleet.update()
    assert (outcome.changed, fleet.serves()) == (True, outcome.version)
    again = fleet.update()
    assert (again.changed, again.text) == (False, f"version {outcome.version} is there already")
    assert rollback(str(fleet.home), NOW, Trial()).version == fleet.serves() == first
    with pytest.raises(UpdateError, match="was tried here and left: rolled back by hand"):
        fleet.update()
    assert rollback(str(fleet.home), NOW, Trial()).version == fleet.serves() == outcome.version
    standing = status(str(fleet.home), NOW)
    assert (standing["serial"], standing["previous"], standing["bad"]) == (6, first, {first: "rolled back by hand"})
    assert len(standing["history"]) == 6


def test_so_many_versions_are_kept_and_foreign_folders_are_left_alone(fleet, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    (fleet.home / "versions" / "notes").mkdir()
    (fleet.home / "versions" / "4-0123456789abcdef").symlink_to(tmp_path / "mine")
    (fleet.home / "versions" / "3-0123456789abcdef").mkdir()
    for serial in range(6, 12):
        fleet.bundle(serial=serial)
        fleet.update(keep=3)
    names = {path.name.split("-")[0] for path in (fleet.home / "versions").iterdir()}
    assert names == {"11", "10", "9", "notes", "4", "3"}
    assert (tmp_path / "mine" / "file").exists()


def test_a_damaged_version_is_unpacked_anew(fleet):
    fleet.bundle(serial=6)
    version = fleet.update().version
    (fleet.home / "current" / "model.json").write_text("{}")
    with pytest.raises(UpdateError, match=r"model.json is damaged"):
        status(str(fleet.home), NOW)
    assert fleet.update().version == f"{version}-2" == fleet.serves()
    assert not fleet.update().changed


@pytest.mark.parametrize("damage", ["model.json", "extra.py", "link"])
def test_rollback_checks_first(fleet, damage):
    fleet.bundle(serial=6)
    used = fleet.update().version
    before = fleet.home / "versions" / status(str(fleet.home), NOW)["previous"]
    if damage == "link":
        (before / "model.json").rename(before.parent.parent / "away.json")
        (before / "model.json").symlink_to(before.parent.parent / "away.json")
    else:
        (before / damage).write_text("{}")
    with pytest.raises(UpdateError, match="is not whole"):
        rollback(str(fleet.home), NOW, Trial())
    assert fleet.serves() == used


def test_a_part_of_the_boards_first(fleet, keys, tmp_path):
    fleet.bundle(serial=6, rollout=2500)
    (fleet.source / "new.elb").rename(tmp_path / "some.elb")
    fleet.bundle(serial=7, rollout=10_000)
    taken = 0
    for i in range(16):
        home = str(tmp_path / f"home{i}")
        enroll(home, trust.Trust("boilers", f"gw-{i}", 1, 1, [keys.line("ann")]))
        first = update(home, str(tmp_path / "some.elb"), NOW, Trial())
        taken += first.changed
        assert first.changed or "serial 6 goes to 25% of the boards, not to this one yet" in first.text
        if i < 4:
            assert update(home, str(fleet.source), NOW, Trial()).changed, "and then to all"
    assert 1 <= taken <= 8


def test_two_at_once_and_a_folder_that_is_none(fleet):
    fleet.bundle()
    with locked(str(fleet.home / "lock")), pytest.raises(UpdateError, match=f"held by process {os.getpid()}"):
        fleet.update()
    assert fleet.update().changed
    with pytest.raises(UpdateError, match="enroll the board first"):
        rollback(str(fleet.home / "nothing"), NOW, Trial())
    with pytest.raises(UpdateError, match="believes somebody already"):
        enroll(str(fleet.home), trust.Trust("boilers", "gw", 1, 1, [fleet.keys.line("eve")]))


def test_no_space_is_said_before_anything_is_written(fleet, monkeypatch):
    fleet.bundle()
    free = os.statvfs(fleet.home)
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result((*free[:3], 10, 10, *free[5:])))
    with pytest.raises(UpdateError, match="KB free; the bundle needs"):
        fleet.update()


def test_in_the_shadow_of_the_old_one(fleet, rows):
    trial = Trial(rows=str(rows))
    fleet.bundle(serial=6, coef=2.5, limits={"error": 1.1})
    with pytest.raises(UpdateError, match="in the shadow of the old one: the error is"):
        fleet.update(trial=trial)
    fleet.bundle(serial=7, coef=2.0, limits={"error": 1.1, "degraded": 0.0, "p95_us": 1e6})
    assert fleet.update(trial=trial).changed
    (rows).write_text("a,b,y\n9,9,1\n" * 10)
    fleet.bundle(serial=8, limits={"degraded": 0.5})
    with pytest.raises(UpdateError, match=r"rows are degraded, at most 50\.0% may be"):
        fleet.update(trial=trial)
    rows.write_text("x\n1\n")
    fleet.bundle(serial=9)
    with pytest.raises(UpdateError, match="it cannot be taken over rows"):
        fleet.update(trial=trial)


class Process:
    """What uses the version in use: it tells its figures when it is told to look (a file is touched)."""

    def __init__(self, fleet, folder, behave=lambda coef: [0.5, 0.5]):
        self.fleet, self.behave = fleet, behave
        self.told, self.metrics = folder / "told", folder / "board.prom"
        self.trial = Trial(restart=("touch", str(self.told)), metrics=str(self.metrics), patience=3.0, watch=0.6)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.over.set()
        self.thread.join()

    def run(self):
        from edge_lasso_runtime import load

        figures = None
        while not self.over.is_set():
            if self.told.exists() or figures is None:
                self.told.unlink(missing_ok=True)
                running = load(self.fleet.home / "current" / "model.json")
                row = self.behave(running.outputs[0].terms[0].coef)
                if row is None:
                    return
                figures, state = Metrics(running, str(self.metrics)), start(running)
            figures.take([step(running, state, row)[0]], state, 1e-4)
            figures.write()
            time.sleep(0.05)


def test_in_use_is_said_when_the_process_has_answered(fleet, tmp_path):
    with Process(fleet, tmp_path) as process:
        fleet.bundle(serial=6, coef=3.0, limits={"degraded": 0.1, "p95_us": 10_000})
        outcome = fleet.update(trial=process.trial)
        assert outcome.text.endswith("is in use")
    assert status(str(fleet.home), NOW)["trial"] is False


@pytest.mark.parametrize(
    ("behave", "limits", "message"),
    [
        (lambda coef: [0.5, 0.5] if coef == 2.0 else None, {}, "no process has answered with"),
        (lambda coef: [0.5, 0.5] if coef == 2.0 else [9.0, 9.0], {"degraded": 0.1}, "rows are degraded"),
        (lambda coef: [0.5, 0.5], {"p95_us": 50}, "a row takes 100 us"),
    ],
)
def test_it_goes_back_by_itself(fleet, tmp_path, behave, limits, message):
    before = fleet.serves()
    with Process(fleet, tmp_path, behave) as process:
        fleet.bundle(serial=6, coef=3.0, limits=limits)
        with pytest.raises(UpdateError, match=f"went back from 6-.* to {before}: .*{message}"):
            fleet.update(trial=process.trial)
    assert fleet.serves() == before
    with pytest.raises(UpdateError, match="was tried here and left"):
        fleet.update()
    fleet.bundle(serial=7)
    assert fleet.update().changed, "a higher serial is a new try"


def test_a_restart_that_fails_is_a_way_back(fleet):
    before = fleet.serves()
    fleet.bundle(serial=6)
    with pytest.raises(UpdateError, match="false ended with 1"):
        fleet.update(trial=Trial(restart=("false",)))
    assert fleet.serves() == before


@pytest.fixture
def server(fleet):
    handler = functools.partial(SimpleHTTPRequestHandler, directory=fleet.source)
    handler.log_message = lambda *_: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_over_http(fleet, server, capfd):
    fleet.bundle("boilers.elb", serial=6)
    assert fleet.update(f"{server}/boilers.elb").changed
    with pytest.raises(UpdateError, match="it is not there"):
        fleet.update(f"{server}/absent.elb")
    with pytest.raises(UpdateError, match="ftp is not known"):
        fleet.update("ftp://host/x.elb")


@pytest.fixture
def away(tmp_path, monkeypatch):
    """A loopback sshd that serves the fleet's folder."""
    (tmp_path / "sshd").mkdir()
    server = Sshd(tmp_path / "sshd")
    monkeypatch.setenv("EDGE_LASSO_SSH_OPTIONS", server.options)
    server.start()
    yield server
    server.stop()


@pytest.mark.needs("ssh", "sshd")
def test_over_ssh(fleet, away):
    """A bundle and changed signers beside it; what is not there, no file, another host's key, a name that is no name."""
    fleet.bundle("a file's name.elb", serial=6)
    address = f"{away.link}{fleet.source}/"
    assert fleet.update(f"{address}a file's name.elb").changed
    assert fleet.serves().startswith("6-")
    for name, why in (("absent.elb", "it is not there"), ("", "it is not there")):
        with pytest.raises(UpdateError, match=why):
            fleet.update(f"{address}{name}")
    for source in ("ssh://-oProxyCommand=x/y.elb", "ssh://user:word@host/y.elb", "ssh://host"):
        with pytest.raises(UpdateError, match="is not of the form ssh://user@host"):
            fleet.update(source)
    fleet.bundle("7.elb", serial=7, coef=3.0)
    away.login(f'head -c 3000 "{fleet.source}/7.elb"')
    with pytest.raises(UpdateError):
        fleet.update(f"{address}7.elb")
    away.trust((away.folder / "user.pub").read_text())
    with pytest.raises(UpdateError, match=r"cannot be read: Host key verification failed\.$"):
        fleet.update(f"{address}7.elb")
    assert fleet.serves().startswith("6-")


def test_a_server_that_sends_a_byte_a_second_is_given_up(fleet):
    packed = fleet.bundle()
    listening = socket.create_server(("127.0.0.1", 0))

    def drip():
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                if b"signers" in connection.recv(4096):
                    connection.sendall(b"HTTP/1.0 404 no\r\n\r\n")
                    continue
                connection.sendall(b"HTTP/1.0 200 ok\r\n\r\n")
                try:
                    for byte in packed:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.2)
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    with pytest.raises(UpdateError, match="took longer than 1 s"):
        fleet.update(f"http://127.0.0.1:{listening.getsockname()[1]}/boilers.elb", limit=1.0)
    thread.join()
    listening.close()
    fleet.serves()


def test_files_are_read_whatever_their_mode_and_umask(fleet):
    before = os.umask(0)
    try:
        fleet.bundle(serial=6)
        fleet.update()
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o022 for path in fleet.home.rglob("*") if not path.is_symlink()}
    assert modes == {0}, "an open umask gives nobody else the right to write"


def test_the_command_line(tmp_path, keys):
    fleet = Fleet(tmp_path, keys)
    (tmp_path / "allowed").write_text(f"# who signs\n\n{keys.line('ann')}\n")
    run = functools.partial(
        subprocess.run, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(RUNTIME.parent)}
    )
    base = [sys.executable, "-m", "edge_lasso_runtime"]
    home = ["--home", str(tmp_path / "fresh")]
    done = run([*base, "update", *home, "--enroll", "boilers", "--signers", str(tmp_path / "allowed"), "--board", "gw"])
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/fresh: board gw of boilers believes ann\n")
    now = time.time()
    files = {**fleet.files(), **runtime_files()}
    fleet.bundle(files=files, created=int(now) - 60.0, expires=int(now) + 3600.0)
    done = run([*base, "update", *home, "--from", str(fleet.source)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("is in place; no running process was asked\n")
    done = run([*base, "status", *home, "--json"])
    assert json.loads(done.stdout)["serial"] == 6
    done = run([*base, "update", *home, "--rollback"])
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"edge_lasso_runtime: error: {tmp_path}/fresh: no earlier version is kept there\n"
    assert run([*base, "update", *home]).returncode == 2
    version = check(str(tmp_path / "fresh"), (tmp_path / "fresh" / "current").resolve().name)
    assert version.serial == 6


def test_a_snapshot_is_not_taken_for_a_model(fleet):
    fleet.bundle(files={"model.json": dumps(model()).encode()[:-20]})
    with pytest.raises(UpdateError, match="the self-test failed"):
        fleet.update()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ann*,bob ssh-ed25519 AAAA", "is not a line 'NAME [OPTIONS] KEYTYPE KEY' with one plain name"),
        ("ann ssh-ed25519", "is not a line 'NAME [OPTIONS] KEYTYPE KEY'"),
        ("ann cert-authority ssh-ed25519 AAAA", "signer 'ann' is a certificate authority; name the keys themselves"),
        ("# nobody yet\n\n", "there are no signers; a line is: NAME KEYTYPE KEY"),
    ],
)
def test_signers_that_are_none(tmp_path, capsys, text, message):
    (tmp_path / "signers").write_text(text)
    enroll = ["update", "--home", str(tmp_path / "home"), "--enroll", "boilers"]
    assert main([*enroll, "--signers", str(tmp_path / "signers")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "--enroll goes with --signers FILE, OpenSSH's allowed_signers"),
        (["--signers", "signers", "--threshold", "2"], "--threshold 2: the file names 1; 1 to 1 are possible"),
        (["--signers", "signers", "--threshold", "0"], "--threshold 0: the file names 1; 1 to 1 are possible"),
        (["--signers", "signers", "--board", "a/b"], "--board"),
    ],
)
def test_what_a_board_cannot_be_enrolled_with(tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "signers").write_text("ann ssh-ed25519 AAAA\n")
    assert main(["update", "--home", "home", "--enroll", "boilers", *more]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "home").exists()


def test_the_status_of_a_board_that_believes_nobody(tmp_path, capsys):
    (tmp_path / "home").mkdir()
    assert main(["status", "--home", str(tmp_path / "home")]) == 1
    assert "nothing is there, and nobody is believed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-program",), "no-such-program cannot be run: "),
        (
            ("sh", "-c", "echo one >&2; echo the unit is not found >&2; exit 5"),
            "sh ended with 5: the unit is not found",
        ),
        (("true",), ""),
        ((), ""),
    ],
)
def test_what_a_restart_says(command, message):
    said = restart(Trial(restart=command))
    assert said.startswith(message)
    assert bool(said) == bool(message)
