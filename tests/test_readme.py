"""Every command in the README and in docs/ is run, and prints what is shown (numbers apart, where they are measurements).

``python tests/test_readme.py [PAGE ..]`` writes the outputs anew.
"""

import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAINS = (
    ("README.md",),
    ("docs/tutorials/demo.md",),
    ("docs/tutorials/csv-to-pi.md", "docs/tutorials/plant-detector.md", "docs/how-to/boards.md"),
    ("docs/tutorials/home-assistant.md",),
    ("docs/tutorials/firmware.md", "docs/tutorials/fleet.md"),
)
"""Pages with commands; those of a chain go on in the folder of the one before."""
SNIPPETS = (
    "README.md",
    "docs/reference/taking-pipelines.md",
    "docs/tutorials/plant-detector.md",
    "docs/how-to/functions.md",
    "docs/how-to/scikit-learn.md",
    "docs/tutorials/notebook.md",
    "docs/explanation/path.md",
    "docs/explanation/bounds.md",
    "docs/explanation/thresholds.md",
    "docs/explanation/drift.md",
    "docs/explanation/row.md",
)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_BY_CI = re.compile(r"^make (demo|test)$")


def steps(body):
    """A console block's commands, each with the output shown."""
    return [step.partition("\n")[::2] for step in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]]


def shape(text):
    """Output without numbers, hashes, names of machines and spacing: what is left must be as shown."""
    text = re.sub(r"\(.*?\)|measured on .*?;", "", text)
    text = re.sub(r"\b[0-9a-f]{12,64}\b|[─●]+", "#", text)
    text = re.sub(r"[-+]?\d[\d.,:e+-]*", "#", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" #-\n")]


@contextmanager
def board(folder):
    """A loopback sshd that answers to raspberrypi.local, and ssh and scp that know it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "board"
    home.mkdir()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    (folder / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/authorized\nStrictModes no\n"
        f"PidFile none\nUsePAM no\nSubsystem sftp internal-sftp\nForceCommand {folder}/enter\n"
    )
    (folder / "enter").write_text(
        f"#!/bin/sh\ncd {home}\ncase $SSH_ORIGINAL_COMMAND in\ninternal-sftp) exec /usr/lib/openssh/sftp-server;;\n"
        '*) exec sh -c "$SSH_ORIGINAL_COMMAND";;\nesac\n'
    )
    (folder / "enter").chmod(0o755)
    host_key = (folder / "host.pub").read_text().split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(host_key)}\n")
    (folder / "config").write_text(
        f"Host raspberrypi.local\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n IdentityFile {folder}/user\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n BatchMode yes\n LogLevel ERROR\n"
    )
    tools = folder / "bin"
    tools.mkdir()
    for name in ("ssh", "scp"):
        (tools / name).write_text(f'#!/bin/sh\nexec {shutil.which(name)} -F {folder}/config "$@"\n')
        (tools / name).chmod(0o755)
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    os.makedirs("/run/sshd", exist_ok=True) if os.geteuid() == 0 else None
    with subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "sshd")], stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield tools
        finally:
            process.terminate()


@contextmanager
def workspace():
    """A folder that looks like the clone, so that what the commands write stays out of it; and the environment."""
    with tempfile.TemporaryDirectory() as away, board(Path(away)) as tools:
        folder = Path(away, "clone")
        folder.mkdir()
        for name in ("edge_lasso", "benchmarks", "tests", "examples"):
            (folder / name).symlink_to(ROOT / name)
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        yield folder, {**os.environ, "PATH": path, "COLUMNS": "118"}


def run(command, folder, environment):
    """A command's output: what it says on standard output, or the error when it fails."""
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    return done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.needs(
    "cc", "micropython", "sshd", "avr-gcc", "simavr", "module:onnxruntime", "module:ai_edge_litert", "module:m2cgen"
)
@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[0])
def test_commands(chain):
    count = 0
    with workspace() as (folder, environment):
        for page in chain:
            for body in BLOCK.findall((ROOT / page).read_text()):
                for command, shown in steps(body):
                    if RUN_BY_CI.match(command):
                        continue
                    status, output = run(command, folder, environment)
                    count += 1
                    assert (status == 0) != ("error: " in shown), f"{page}: $ {command}\n{output}"
                    assert shape(output) == shape(shown), f"{page}: $ {command}\n{output}"
    assert count


@pytest.mark.needs("cc")
@pytest.mark.parametrize("page", SNIPPETS)
def test_snippets(tmp_path, monkeypatch, page):
    monkeypatch.chdir(tmp_path)
    for name in ("edge_lasso", "tests", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    blocks = PYTHON.findall((ROOT / page).read_text())
    assert blocks
    if "plot(" in "".join(blocks):
        pytest.importorskip("matplotlib").use("Agg")
    names = {}
    for block in blocks:  # one after another, as in a notebook
        exec(compile(block, page, "exec"), names)


def test_every_page_is_run():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    with_commands = {str(page.relative_to(ROOT)) for page in pages if BLOCK.search(page.read_text())}
    with_python = {str(page.relative_to(ROOT)) for page in pages if PYTHON.search(page.read_text())}
    assert with_commands == {page for chain in CHAINS for page in chain}
    assert with_python <= set(SNIPPETS)


def test_the_readme_fits_on_three_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_ci_runs_what_the_readme_leaves_to_it():
    script = (ROOT / ".ci" / "run").read_text()
    for body in BLOCK.findall((ROOT / "README.md").read_text()):
        for command, _ in steps(body):
            if RUN_BY_CI.match(command):
                assert re.search(rf"^newcomer .*\b{re.escape(command)}( |$)", script, re.MULTILINE), command


def rewrite(pages):
    """Put what the commands print into pages; those before them in their chain are run, too."""
    for chain in CHAINS:
        wanted = [page for page in chain if not pages or page in pages]
        if not wanted:
            continue
        with workspace() as (folder, environment):
            for page in chain[: chain.index(wanted[-1]) + 1]:
                _rewrite_page(ROOT / page, folder, environment, page in wanted)


def _rewrite_page(path, folder, environment, wanted):
    text = path.read_text()
    for body in BLOCK.findall(text):
        fresh = ""
        for command, shown in steps(body):
            output = shown if RUN_BY_CI.match(command) else run(command, folder, environment)[1]
            lines = [line.rstrip() for line in output.splitlines()]
            fresh += "\n".join([f"$ {command}", *(line for line in lines if line)]) + "\n"
        text = text.replace(f"```console\n{body}```", f"```console\n{fresh}```")
    if wanted:
        path.write_text(text)


if __name__ == "__main__":
    rewrite(sys.argv[1:])
