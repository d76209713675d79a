"""Files and sets of files: all old or all new. What system calls do is in `tests/test_interrupted.py`."""

import os
import threading

import pytest

from edge_lasso_runtime import atomic
from edge_lasso_runtime.atomic import replacing, together, write_bytes, write_text
from edge_lasso_runtime.format import SWITCH
from edge_lasso_runtime.unfinished import END, START, settle

posix = pytest.mark.skipif(os.name != "posix", reason="locks and links of POSIX")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def stop_before(monkeypatch, number):
    """The given call of os.replace, counted from 0, never comes."""
    real, calls = os.replace, iter(range(1000))

    def replace(source, target):
        if next(calls) == number:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


def write_set(folder, content, names):
    with together(folder) as files:
        for name in names:
            files.write(name, content)


def test_a_block_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "m.json"
    write_text(path, "old")

    def half_a_file():
        with replacing(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    def half_a_set():
        with together(tmp_path) as files:
            files.write("m.json", b"new")
            files.append("lines", b"one\n")
            raise ZeroDivisionError

    for half in (half_a_file, half_a_set):
        with pytest.raises(ZeroDivisionError):
            half()
    assert names(tmp_path) == ["m.json"]
    assert path.read_text() == "old"


def test_a_set_takes_its_names_together(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "stale").write_text("")
    (tmp_path / "lines").write_text("1\n")
    with together(tmp_path) as files:
        files.write("m.json", b"m")
        folder = files.path("a/b")
        os.mkdir(folder)
        write_bytes(os.path.join(folder, "fresh"), b"")
        files.append("lines", b"2\n")
        files.append("lines", b"3\n")
    assert names(tmp_path) == ["a", "a/b", "a/b/fresh", "lines", "m.json"]
    assert (tmp_path / "lines").read_text() == "1\n2\n3\n"


@pytest.mark.parametrize("number", range(3))
def test_whoever_reads_next_finishes_a_set(tmp_path, number):
    for name in "abc":
        write_text(tmp_path / name, "old")
    with pytest.MonkeyPatch.context() as patch:
        stop_before(patch, number)
        with pytest.raises(KeyboardInterrupt):
            write_set(tmp_path, b"new", "abc")
    assert (tmp_path / SWITCH).is_dir()
    settle(tmp_path / "a")
    assert names(tmp_path) == ["a", "b", "c"]
    assert [(tmp_path / name).read_text() for name in "abc"] == ["new"] * 3


def test_a_later_file_is_not_overtaken_by_an_earlier_set(tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        stop_before(patch, 0)
        with pytest.raises(KeyboardInterrupt):
            write_set(tmp_path, b"earlier", "a")
    write_text(tmp_path / "a", "later")
    settle(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "later"


@pytest.mark.parametrize("name", ["", "..", "../a", "a/../../b", "/etc/a", "a//b", "a\\b", "a\0b"])
def test_names_stay_below_the_folder(tmp_path, name):
    with pytest.raises(OSError, match="is no name below the folder"), together(tmp_path) as files:
        files.write(name, b"")
    switch = tmp_path / SWITCH
    (switch / "new").mkdir(parents=True)
    atomic.write_json(switch / "names.json", [name])
    with pytest.raises(OSError, match="is no name below the folder"):
        settle(tmp_path / "m.json")


@posix
def test_what_dead_runs_left_is_cleared_and_what_the_living_write_is_not(tmp_path):
    stale = tmp_path / f"{START}{'0' * 32}{END}"
    stale.mkdir()
    (stale / "file").write_text("half")
    theirs = tmp_path / f"{START}mine{END}"
    theirs.write_text("another's name")
    with replacing(tmp_path / "a") as first, together(tmp_path) as files:
        files.write("b", b"b")
        write_text(tmp_path / "c", "c")
        assert not stale.exists()
        first.write(b"a")
    assert names(tmp_path) == [theirs.name, "a", "b", "c"]
    assert (tmp_path / "a").read_text() == "a"


@posix
def test_a_planted_link_is_neither_followed_nor_removed_through(tmp_path, monkeypatch):
    target = tmp_path / "precious"
    target.write_text("precious")
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / f"{START}{'0' * 32}{END}").symlink_to(target)
    with pytest.raises(FileExistsError):
        write_text(tmp_path / "a", "text")
    assert target.read_text() == "precious"
    link = tmp_path / "link"
    link.symlink_to(target)
    monkeypatch.undo()
    write_text(link, "new")
    assert target.read_text() == "precious"
    assert link.read_text() == "new"


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_a_set_of_another_user_is_refused(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / SWITCH / "new").mkdir(parents=True)
    os.chown(folder / SWITCH, 12345, 12345)
    with pytest.raises(OSError, match="was left by another user"):
        settle(folder / "m.json")


@posix
def test_devices_are_not_replaced():
    with pytest.raises(OSError, match="is not an ordinary file"):
        write_text("/dev/null", "text")


@posix
def test_additions_of_many_at_once_are_all_there(tmp_path):
    def add(i):
        for j in range(10):
            with together(tmp_path) as files:
                files.append("lines", f"{i} {j}\n".encode())

    workers = [threading.Thread(target=add, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set((tmp_path / "lines").read_text().splitlines())) == 40


def test_a_set_made_from_a_file_that_changed_is_not_written(tmp_path):
    write_text(tmp_path / "a", "old")
    digest = atomic.digest_of(tmp_path / "a")
    files = together(tmp_path)
    mine = files.__enter__()
    mine.read("a", digest)
    mine.write("a", b"mine")
    write_text(tmp_path / "a", "theirs")
    with pytest.raises(OSError, match="was changed by another command meanwhile"):
        files.__exit__(None, None, None)
    assert (tmp_path / "a").read_text() == "theirs"
    assert names(tmp_path) == ["a"]


@posix
def test_files_have_the_modes_that_the_umask_gives(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "")
        with together(tmp_path) as files:
            files.write("b", b"")
            files.write("c/d", b"")
    finally:
        os.umask(old)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "b", "c", "c/d")] == [0o640, 0o640, 0o750, 0o640]
