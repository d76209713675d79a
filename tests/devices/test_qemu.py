"""Emulated CPython: the right architecture, and instruction counts that repeat exactly."""

import json
from itertools import pairwise

import pytest

from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.links import open_link
from edge_lasso_devices.qemu import HASHES, MARK, WHEELS

SCRIPT = b"""
import sys
coefs = [0.5, -1.25, 3.0, 7.5]
def predict(x):
    y = 1.0
    for i in range(4):
        y = y + coefs[i] * x[i]
    return y
x = [1.0, 2.0, 3.0, 4.0]
for _ in range(int(sys.argv[1])):
    predict(x)
print(repr(predict(x)))
"""


@pytest.mark.needs("qemu-aarch64", "qemu-arm", "apt-get", "cc")
@pytest.mark.parametrize(("name", "machine", "pointer"), [("arm64", "aarch64", 8), ("armel", "armv", 4)])
def test_the_real_architecture_and_exact_counts(name, machine, pointer):
    with open_link(f"qemu:{name}") as shell:
        assert shell.kind == "emulated"
        assert name in shell.describe()
        assert "CPython 3." in shell.describe()
        shell.put(
            {"a.py": b"import json, platform, struct; print(json.dumps([platform.machine(), struct.calcsize('P')]))"}
        )
        said = json.loads(shell.run([*shell.python, "a.py"], timeout=60).stdout)
        assert said[0].startswith(machine)
        assert said[1] == pointer
        shell.put({"b.py": SCRIPT})
        done, total = shell.count(["b.py", "10"])
        assert done.stdout == "38.0\n"
        assert total > 1_000_000
        first = shell.count_per_call(lambda number: ["b.py", str(number)], 500)
        assert 500 < first < 10_000
    with open_link(f"qemu:{name}") as shell:
        shell.put({"b.py": SCRIPT})
        assert shell.count_per_call(lambda number: ["b.py", str(number)], 500) == first
        with pytest.raises(BoardError, match=r"the counted run failed: .*absent"):
            shell.count_per_call(lambda number: ["absent.py", str(number)])


MARKED = """
import os, sys
def mark():
    try:
        os.getpgid(int(sys.argv[1]))
    except ProcessLookupError:
        pass
for count in (1000, 1000, 3000):
    mark()
    for _ in range(count):
        pass
mark()
"""


@pytest.mark.needs("qemu-aarch64", "apt-get", "cc")
def test_marks_lie_where_the_guest_set_them():
    with open_link("qemu:arm64") as shell:
        shell.put({"c.py": MARKED.encode()})
        done, marks = shell.marks(["c.py", str(MARK)])
        assert done.returncode == 0
        first, second, third = (b - a for a, b in pairwise(marks))
        assert second == pytest.approx(first, rel=0.2)
        assert third > 2 * second
        assert shell.marks(["-c", "pass"])[1] == []


def test_missing_qemu_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BoardError, match="link 'qemu:arm64': no qemu-aarch64 here; install it with: apt-get install qemu-user"
    ):
        open_link("qemu:arm64")


def test_unknown_architecture():
    with pytest.raises(BoardError, match="link 'qemu:arm46' is unknown; did you mean 'qemu:arm64'"):
        open_link("qemu:arm46")


@pytest.mark.needs("qemu-aarch64")
def test_no_apt_is_named(monkeypatch, tmp_path):
    (tmp_path / "qemu-aarch64").write_text("#!/bin/sh\necho qemu-aarch64 version 7.2\n")
    (tmp_path / "qemu-aarch64").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EDGE_LASSO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(BoardError, match="link 'qemu:arm64': no apt-get here"):
        open_link("qemu:arm64")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_fetched_is_pinned_by_hash():
    wanted = {wheel for wheels in WHEELS.values() for wheel in wheels}
    assert wanted == HASHES.keys()
    assert all(len(digest) == 64 and not digest.strip("0123456789abcdef") for digest in HASHES.values())
