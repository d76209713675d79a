"""RAUC and SWUpdate bring a signed bundle: their own tools build, verify and (SWUpdate) install the examples."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import pytest
from fleets import Fleet, Keys

from edge_lasso.measuring.measurement import runtime_files

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
pytestmark = pytest.mark.needs("ssh-keygen", "openssl")


@pytest.fixture
def board(tmp_path):
    """A board at serial 5, and a function that writes a bundle of another serial."""
    board = Fleet(tmp_path, Keys(tmp_path))
    now = float(int(time.time()))
    runtime = runtime_files()

    def bundle(serial, by="ann"):
        files = {**board.files(), **runtime}
        board.bundle(f"{serial}.elb", files, serial=serial, by=(by,), created=now - 60, expires=now + 1e6)
        return board.source / f"{serial}.elb"

    board.update(bundle(5), now=now)
    return board, bundle


@pytest.fixture
def settings(board, tmp_path):
    path = tmp_path / "board.conf"
    path.write_text(f"HOME_DIR={board[0].home}\nPYTHON={sys.executable}\nOPTIONS='--wait 10'\n")
    return {**os.environ, "EDGE_LASSO_RAUC_CONFIG": str(path), "EDGE_LASSO_SWUPDATE_CONFIG": str(path)}


@pytest.fixture
def certificates(tmp_path):
    """Two keys with certificates: the maker's, and somebody else's."""
    for name in ("maker", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", f"/CN={name}",
             "-addext", "extendedKeyUsage=emailProtection", "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return tmp_path


def run(*arguments, cwd, env=None):
    """Exit code and output. Processes that are left behind (SWUpdate's, now and then, after a refusal) are ended."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            arguments, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        return code, said.read().decode(errors="replace")


def damaged(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.with_suffix(".bad").write_bytes(data)
    return path.with_suffix(".bad")


@pytest.mark.needs("rauc", "mksquashfs")
def test_rauc_builds_verifies_and_hands_over(board, settings, certificates, tmp_path):
    board, bundle = board
    content, out = tmp_path / "content", tmp_path / "boilers-7.raucb"
    content.mkdir()
    for name in ("edge-lasso", "manifest.raucm"):
        shutil.copy(DEPLOY / "rauc" / name, content)
    shutil.copy(bundle(7), content / "boilers-7.elb")
    code, text = run("rauc", "bundle", "--cert=maker.pem", "--key=maker.key", content, out, cwd=tmp_path)
    assert code == 0, text
    code, text = run("rauc", "info", "--keyring=maker.pem", out, cwd=tmp_path)
    assert (code, "boilers-7.elb" in text, "install" in text) == (0, True, True), text
    assert run("rauc", "info", "--keyring=other.pem", out, cwd=tmp_path)[0] != 0
    assert run("rauc", "info", "--keyring=maker.pem", damaged(out), cwd=tmp_path)[0] != 0
    code, text = run("rauc", "extract", "--keyring=maker.pem", out, tmp_path / "extracted", cwd=tmp_path)
    assert code == 0, text
    hook = tmp_path / "extracted" / "edge-lasso"

    def called(what, image):
        environment = {**settings, "RAUC_IMAGE_NAME": str(image), "RAUC_SLOT_CLASS": "edge-lasso"}
        return run(hook, what, cwd="/", env=environment)

    code, text = called("slot-install", tmp_path / "extracted" / "boilers-7.elb")
    assert (code, "is in place" in text) == (0, True), text
    assert board.serves().startswith("7-")
    for what, image, why in (
        ("slot-install", bundle(8, by="eve"), "not signed by whom"),
        ("slot-install", tmp_path / "none.elb", "the image must be one bundle"),
        ("slot-post-install", bundle(9), "hooks=install in the manifest"),
    ):
        code, text = called(what, image)
        assert (code, why in text) == (1, True), text
        assert board.serves().startswith("7-")


@pytest.mark.needs("swupdate", "cpio")
def test_swupdate_builds_checks_and_installs(board, settings, certificates, tmp_path):
    board, bundle = board

    def image(serial, by="ann", key="maker"):
        folder = tmp_path / f"image{serial}"
        folder.mkdir()
        shutil.copy(DEPLOY / "swupdate" / "edge-lasso", folder)
        shutil.copy(bundle(serial, by), folder / "boilers-7.elb")
        text = (DEPLOY / "swupdate" / "sw-description").read_text()
        text = text.replace("/var/lib/edge-lasso/boilers-7.elb", str(tmp_path / "incoming.elb"))
        for name in ("boilers-7.elb", "edge-lasso"):
            text = text.replace(f"@{name}@", sha256((folder / name).read_bytes()).hexdigest())
        (folder / "sw-description").write_text(text)
        sign = ["openssl", "cms", "-sign", "-in", "sw-description", "-out", "sw-description.sig", "-signer",
                tmp_path / f"{key}.pem", "-inkey", tmp_path / f"{key}.key", "-outform", "DER", "-nosmimecap", "-binary"]  # fmt: skip
        subprocess.run(sign, cwd=folder, check=True)
        names = b"sw-description\nsw-description.sig\nedge-lasso\nboilers-7.elb\n"
        packed = subprocess.run(["cpio", "-o", "-H", "crc"], cwd=folder, input=names, capture_output=True, check=True)
        (tmp_path / f"{serial}.swu").write_bytes(packed.stdout)
        return tmp_path / f"{serial}.swu"

    def swupdate(file, *options):
        temporary = {**settings, "TMPDIR": tempfile.mkdtemp(dir=tmp_path)}  # its sockets
        return run("swupdate", *options, "-M", "-m", "-i", file, "-k", tmp_path / "maker.pem", "-H", "boiler:1.0",
                   cwd=tmp_path, env=temporary)  # fmt: skip

    good = image(7)
    code, text = swupdate(good, "-c")
    assert code == 0, text
    assert board.serves().startswith("5-"), "checked, not installed"
    for bad, why in ((damaged(good), ""), (image(8, key="other"), ""), (image(9, by="eve"), "not signed by whom")):
        code, text = swupdate(bad)
        assert code != 0, text
        assert why in text
        assert board.serves().startswith("5-")
        assert not (tmp_path / "incoming.elb").exists() or not why, "the script takes the file away"
    code, text = swupdate(good)
    assert (code, "SWUPDATE successful" in text) == (0, True), text
    assert board.serves().startswith("7-")
    assert not (tmp_path / "incoming.elb").exists()
