"""The Ansible role against five boards, each a loopback sshd: a bad bundle stops at the first, a good one reaches all."""

import getpass
import json
import os
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from sshd import Sshd

from edge_lasso.measuring.measurement import runtime_files
from edge_lasso_runtime import Factor, Input, Model, Output, Term, archive, dumps, manifest, model_hash

pytestmark = [pytest.mark.needs("ssh", "sshd", "ssh-keygen", "module:ansible"), pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
BOARDS = 5


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fleet")
    servers, lines = [], ["[boards]"]
    for i in range(BOARDS):
        away = folder / f"sshd{i}"
        away.mkdir()
        server = Sshd(away)
        server.start()
        servers.append(server)
        lines.append(
            f"gw-{i} ansible_host=127.0.0.1 ansible_port={server.port} ansible_user={getpass.getuser()} "
            f"ansible_ssh_common_args='{server.options}' edge_lasso_home={folder}/board{i}"
        )
    python = Path(sys.executable).resolve()
    shared = {
        "ansible_python_interpreter": python, "edge_lasso_python": python, "ansible_pipelining": "true",
        "edge_lasso_signers": folder / "signers", "ansible_shell_type": "sh",
    }  # fmt: skip
    lines += ["[boards:vars]", *(f"{name}={value}" for name, value in shared.items())]
    (folder / "boards.ini").write_text("\n".join(lines) + "\n")
    for name in ("ann", "eve"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "signers").write_text(f"ann {' '.join((folder / 'ann.pub').read_text().split()[:2])}\n")
    yield folder
    for server in servers:
        server.stop()


def bundle(folder, serial, by):
    inputs = (Input("a", 0, 0.0, -1.0, 1.0),)
    model = Model(("a",), inputs, (Output("y", float(serial), (Term(2.0, (Factor(0),)),)),))
    files = {**runtime_files(), "model.json": dumps(model).encode()}
    listed = [(name, len(data), sha256(data).hexdigest()) for name, data in sorted(files.items())]
    now = float(int(time.time()))
    about = manifest.Manifest(
        "boilers", serial, now - 60, now + 1e6, 10_000, model_hash(model), (3, 9), 1, [], {}, listed
    )
    data = manifest.dumps(about)
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", "edge-lasso-bundle", "-f", str(folder / by)]
    signature = subprocess.run(command, input=data, capture_output=True, check=True).stdout
    path = folder / f"boilers-{serial}.elb"
    path.write_bytes(archive.pack(data, signature, files))
    return path


def play(folder, book, **values):
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "-i",
        str(folder / "boards.ini"),
        str(ROOT / "deploy" / "ansible" / book),
    ]
    command += [word for name, value in values.items() for word in ("-e", f"{name}={value}")]
    environment = {**os.environ, "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_FORKS": "5", "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=500)


def serials(folder):
    found = []
    for i in range(BOARDS):
        path = folder / f"board{i}" / "current" / "manifest.json"
        found.append(json.loads(path.read_text())["serial"] if path.exists() else None)
    return found


def test_a_fleet(fleet):
    done = play(fleet, "rollout.yml", edge_lasso_bundle=bundle(fleet, 1, "ann"), edge_lasso_serial="100%")
    assert done.returncode == 0, done.stdout + done.stderr
    assert serials(fleet) == [1] * BOARDS
    done = play(fleet, "rollout.yml", edge_lasso_bundle=bundle(fleet, 2, "eve"), edge_lasso_serial=1)
    assert done.returncode != 0
    assert "not signed by whom this board believes" in done.stdout
    assert "gw-1" not in done.stdout, "the first that refuses ends the roll-out"
    assert serials(fleet) == [1] * BOARDS
    done = play(fleet, "rollout.yml", edge_lasso_bundle=bundle(fleet, 3, "ann"), edge_lasso_serial="40%")
    assert done.returncode == 0, done.stdout + done.stderr
    assert serials(fleet) == [3] * BOARDS
    done = play(fleet, "rollback.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert serials(fleet) == [1] * BOARDS
