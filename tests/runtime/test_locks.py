"""Locks name their holder, wait as long as they are told, and end with their holder."""

import os
import sys
import threading
import time

import pytest

from edge_lasso_runtime.locks import LockedError, hold, locked

pytestmark = pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")


def test_the_holder_is_named_and_the_lock_goes_with_it(tmp_path):
    path = str(tmp_path / "x.lock")
    with locked(path), pytest.raises(LockedError, match=rf"x\.lock is held by process {os.getpid()}; try again later"):
        hold(path)
    os.close(hold(path))


def test_a_holder_that_has_not_said_who_it_is(tmp_path):
    path = str(tmp_path / "x.lock")
    with locked(path):
        os.truncate(path, 0)
        with pytest.raises(LockedError, match="is held by another process"):
            hold(path)


def test_waiting_ends_when_the_holder_does(tmp_path):
    path = str(tmp_path / "x.lock")
    descriptor = hold(path)
    threading.Timer(0.2, os.close, [descriptor]).start()
    os.close(hold(path, wait=60.0))


def test_a_wait_that_is_interrupted_holds_nothing(tmp_path, monkeypatch):
    path = str(tmp_path / "x.lock")
    descriptor, before = hold(path), len(os.listdir("/proc/self/fd"))

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hold(path, wait=60.0)
    os.close(descriptor)
    os.close(hold(path))
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_platform_without_locks_goes_on_without(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    path = str(tmp_path / "x.lock")
    with locked(path), locked(path):
        assert not os.path.exists(path)
