"""Links: a private folder, commands in it, nothing left behind."""

import contextlib
import os
import threading
import time
import tty
from pathlib import Path

import pytest

from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.links import open_link


def test_local_runs_in_its_own_folder_and_leaves_nothing():
    with open_link("local") as shell:
        shell.put({"sub/a.py": b"import os, sys; print(os.getcwd(), sys.stdin.read(), 'caf\xc3\xa9')", "b": b"\0\xff"})
        done = shell.run([*shell.python, "sub/a.py"], stdin="hello")
        assert done.returncode == 0, done.stderr
        folder, word, accent = done.stdout.split()
        assert word == "hello"
        assert accent == "café"
        assert Path(folder, "b").read_bytes() == b"\0\xff"
        assert shell.kind == "measured"
        assert "Python" in shell.describe()
    assert not Path(folder).exists()
    shell.close()


def test_local_reports_status_and_errors():
    with open_link("local") as shell:
        done = shell.run([*shell.python, "-c", "import sys; print('no', file=sys.stderr); sys.exit(3)"])
        assert (done.returncode, done.stdout, done.stderr) == (3, "", "no\n")
        with pytest.raises(BoardError, match="cannot run 'no-such-program': No such file"):
            shell.run(["no-such-program"])


def test_a_time_out_ends_the_whole_group():
    with open_link("local") as shell:
        started = time.monotonic()
        with pytest.raises(BoardError, match=r"did not finish within 0\.5 s"):
            shell.run(["sh", "-c", "sleep 60 & echo $! > pid; wait"], timeout=0.5)
        assert time.monotonic() - started < 10
        child = int(shell.run(["cat", "pid"]).stdout)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and running(child):
            time.sleep(0.05)
        assert not running(child)


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a/../../x", "", "."])
def test_files_stay_inside(name):
    with open_link("local") as shell, pytest.raises(BoardError, match="leaves the working folder"):
        shell.put({name: b""})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lokal", "link 'lokal' is unknown; did you mean 'local'\\?; there are local, ssh"),
        ("micropyton", "did you mean 'micropython'"),
        ("carrier-pigeon", "link 'carrier-pigeon' is unknown; there are local, ssh"),
    ],
)
def test_unknown_links_name_the_nearest(spec, message):
    with pytest.raises(BoardError, match=message):
        open_link(spec)


@pytest.mark.needs("micropython")
def test_micropython_runs_scripts():
    with open_link("micropython") as shell:
        shell.put({"x.py": b"import sys\nprint(sys.implementation.name, 6 * 7)\n"})
        done = shell.run([*shell.python, "x.py"], timeout=60)
        assert done.stdout.split() == ["micropython", "42"], done
        assert "MicroPython" in shell.describe()
        assert shell.kind in ("measured", "emulated")


def test_no_micropython_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGE_LASSO_MICROPYTHON", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BoardError, match="no MicroPython here; install"):
        open_link("micropython")


def raw_repl(leader, run):
    """The raw REPL of a MicroPython board at the other end of a serial line; `run` runs what it is sent."""
    code = b""
    with contextlib.suppress(OSError):  # the line is closed
        while data := os.read(leader, 4096):
            for byte in data:
                sent = bytes([byte])
                if sent == b"\x01":
                    code = b""
                    os.write(leader, b"raw REPL; CTRL-B to exit\r\n>")
                elif sent == b"\x05":
                    code += sent
                elif code.endswith(b"\x05A") and sent == b"\x01":
                    code = b""
                    os.write(leader, b"R\x00")  # no raw paste here
                elif sent == b"\x04" and not code.strip():
                    os.write(leader, b"OK\r\nMPY: soft reboot\r\nraw REPL; CTRL-B to exit\r\n>")
                elif sent == b"\x04":
                    os.write(leader, b"OK" + run(code) + b"\x04\x04>")
                    code = b""
                elif sent not in b"\x02\x03":
                    code += sent


@pytest.mark.needs("module:mpremote", "micropython")
def test_a_board_at_a_serial_port():
    with pytest.raises(BoardError, match="there is no port /dev/ttyACM99"):
        open_link("serial:/dev/ttyACM99")
    leader, follower = os.openpty()
    tty.setraw(follower)
    with open_link("micropython") as board, open_link(f"serial:{os.ttyname(follower)}") as shell:

        def run(code):
            board.put({"sent.py": code.lstrip(b"\r")})
            return board.run([*board.python, "sent.py"], timeout=60).stdout.encode()

        threading.Thread(target=raw_repl, args=(leader, run), daemon=True).start()
        assert shell.kind == "measured"
        assert "MicroPython" in shell.describe()
        shell.put({"x.py": b"print(6 * 7)\n"})
        done = shell.run([*shell.python, "x.py"], timeout=30)
        assert done.stdout.split() == ["42"], done
    os.close(leader)
    os.close(follower)
