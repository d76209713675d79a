"""Every command that writes, stopped or refused at every system call that changes a file: all old or all new.

The calls are enumerated with strace, and so is what happens to each. A part of the points is tried, the same every day;
``make test-all`` tries them all, but only some of `export`, `search`, `bench` and `bundle`, which take seconds a run:
``EDGE_LASSO_CUTS=all`` tries these, too, and 20 of the demo's. What `deploy` writes on a board, and the board's own
`update`, are in ``runtime/test_update_cuts.py``.
"""

import os
import random
import re
import shutil
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
import strace_commands as strace
from sshd import Sshd

from edge_lasso.commands.main import main
from edge_lasso_runtime.atomic import write_bytes
from edge_lasso_runtime.format import SWITCH
from edge_lasso_runtime.unfinished import START, settle

pytestmark = pytest.mark.needs("strace", "ssh-keygen")
PART = 16
"""How many points of a command are tried by default."""
ALL = os.environ.get("EDGE_LASSO_CUTS") == "all"
LIMITS = (0, 1, 100, 1000)
"""Bytes after which a file grows no more: short writes, as on a full disk."""


@dataclass(frozen=True)
class Case:
    """A command that writes into OUT, what stands there before, and how many of its points are tried by default.

    `whole`: how many are tried at most otherwise; `measures`: its files hold figures of the run, so that only
    which files there are, and that they are whole, can be compared.
    """

    name: str
    argv: str
    before: tuple[str, ...] = ()
    program: str = "edge-lasso"
    part: int = PART
    whole: int = 10**9
    measures: bool = False
    needs: tuple[str, ...] = ()


TRAIN = "train DATA/{0}.csv --target y --drop kind --cv 3 --out OUT/m.json"
MODEL = TRAIN.format("one")
LEARN = "score OUT/m.json DATA/{0}.csv --learn OUT/{1}.json"
DEPLOY = "deploy OUT/m.json BOARD --unit OUT/gateway.service --source "
CASES = [
    Case("train", TRAIN.format("two"), (MODEL,)),
    Case("train, nothing there", MODEL),
    Case("train --update", "train DATA/two.csv --update OUT/m.stats.npz --out OUT/m.json", (MODEL,)),
    Case("classify", "classify DATA/two.csv --target kind --drop y --cv 3 --out OUT/m.json", (MODEL,), part=6),
    Case("watch", "watch DATA/three.csv --sensors a,b,c --drop kind,y --out OUT/m.json", (MODEL,), part=8),
    Case("cascade", "cascade OUT/m.json DATA/three.csv --target kind --miss 0.2 --false-alarm 0.2",
         ("classify DATA/two.csv --target kind --drop y --cv 3 --out OUT/m.json",), part=8),
    Case("train --from", "train --from OUT/board-*.json --out OUT/m.json",
         (MODEL, f"runtime {LEARN.format('three', 'board-1')}", f"runtime {LEARN.format('four', 'board-2')}"), part=8),
    Case("prune", "prune OUT/m.json --max-inputs 1", (MODEL,)),
    Case("quantize", "quantize OUT/m.json --to int16", (MODEL,)),
    Case("export", "export OUT/m.json --to c:double --allow-unverified --out OUT/artifacts",
         (MODEL, "export OUT/m.json --to c:double --allow-unverified --name old --out OUT/artifacts", TRAIN.format("two")), part=8, whole=60),
    Case("verify --json", "verify OUT/m.json OUT/artifacts --json OUT/certificate.json",
         (MODEL, "export OUT/m.json --to python:pyz --out OUT/artifacts"), part=8),
    Case("predict, csv", "predict OUT/m.json DATA/two.csv --out OUT/p.csv",
         (MODEL, "predict OUT/m.json DATA/one.csv --out OUT/p.csv"), part=12),
    Case("predict, parquet", "predict OUT/m.json DATA/two.csv --out OUT/p.parquet",
         (MODEL, "predict OUT/m.json DATA/one.csv --out OUT/p.parquet"), part=12),
    Case("predict, arrow", "predict OUT/m.json DATA/two.csv --out OUT/p.arrow", (MODEL,), part=12),
    Case("report", "report OUT/m.json --out OUT/r.html", (MODEL, "report OUT/m.json --out OUT/r.html", TRAIN.format("two")), part=12),
    Case("search", "search DATA/two.csv --target y --drop kind --board stm32l0 --max-inputs 1 --cv 2 --sections none --out OUT",
         ("search DATA/one.csv --target y --drop kind --board stm32l0 --max-inputs 2 --cv 2 --sections none --out OUT",), part=6, whole=24),
    Case("bench --json --picture", "bench OUT/m.json --board stm32l0 --json OUT/b.json --picture OUT/b.svg",
         (MODEL, "bench OUT/m.json --board stm32l0 --json OUT/b.json --picture OUT/b.svg", TRAIN.format("two")), part=3, whole=16),
    Case("bundle", "bundle OUT/m.json --serial 8 --expires 2033-01-01 --for f --sign DATA/key --out OUT/f.elb",
         (MODEL, "bundle OUT/m.json --serial 7 --expires 2033-01-01 --for f --out OUT/f.elb"), part=8, whole=40),
    Case("bundle --signers", "bundle --signers DATA/allowed --for f --sign DATA/key --out OUT/signers.2.json",
         ("bundle --signers DATA/allowed --for f --threshold 2 --sign DATA/key --sign DATA/other --out OUT/signers.2.json",), part=8, whole=40),
    Case("score --state", "score OUT/m.json DATA/two.csv --state OUT/state.json --every 30",
         (MODEL, "runtime score OUT/m.json DATA/one.csv --state OUT/state.json"), "runtime"),
    Case("score --learn", LEARN.format("four", "learned"), (MODEL, f"runtime {LEARN.format('three', 'learned')}"), "runtime", part=8),
    Case("deploy --unit", f"{DEPLOY}fifo:/run/readings", (MODEL, f"{DEPLOY}mqtt://localhost/a"), part=3, whole=40, needs=("ssh", "sshd")),
    Case("score --metrics", "score OUT/m.json DATA/two.csv --metrics OUT/m.prom",
         (MODEL,), "runtime", part=8),
    Case("predict --out, on a board", "predict OUT/m.json DATA/two.csv --out OUT/p.csv",
         (MODEL, "runtime predict OUT/m.json DATA/one.csv --out OUT/p.csv"), "runtime", part=8),
    *([Case("demo", "demo --out OUT", part=0, whole=20, measures=True)] if ALL else []),
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, rows in (("one", 60), ("two", 80), ("three", 600), ("four", 500)):
        rng = np.random.default_rng(rows)
        X = rng.normal(20.0, 5.0, (rows, 3))
        y = X[:, 0] - 2.0 * X[:, 1] + 0.1 * X[:, 2] + rng.normal(0.0, 0.5, rows)
        lines = [
            ",".join([*map(repr, map(float, (*row, out))), "ab"[int(out > -20.0)]])
            for row, out in zip(X, y, strict=True)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["a,b,c,y,kind", *lines]) + "\n")
    for name in ("key", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    public = [" ".join((folder / f"{name}.pub").read_text().split()[:2]) for name in ("key", "other")]
    (folder / "allowed").write_text(f"ann {public[0]}\nbob {public[1]}\n")
    return folder


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Where an address on a loopback sshd would be, if there is none here."""
    folder = tmp_path_factory.mktemp("sshd")
    server = Sshd(folder)
    if os.path.exists("/usr/sbin/sshd"):
        server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_LASSO_SSH_OPTIONS", server.options)
        yield f"{server.link}{folder}/installed"
    server.stop()


@pytest.fixture(scope="module")
def warm(tmp_path_factory, board):
    process = strace.Warm(tmp_path_factory.mktemp("warm"))
    yield process
    process.close()


def content(path):
    """What is in a file; of one that is written again and again with a run's own figures, whether it is whole."""
    data = path.read_bytes()
    return b"whole" if path.suffix == ".prom" and re.search(rb"\nedge_lasso_memory_bytes \d+\n\Z", data) else data


def tree(folder):
    """What a reader sees: all files but those that are not finished."""
    return {
        path.relative_to(folder).as_posix(): content(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.suffix != ".lock"
        and not any(part.startswith(START) for part in path.relative_to(folder).parts)
    }


def refresh(folder, template):
    shutil.rmtree(folder)
    shutil.copytree(template, folder)


def check(case, out, before, after, done, what):
    """All old or all new after the next look; one line about a failure; and the next write clears what is left."""
    assert "Traceback" not in done.err, (what, done.err)
    raw = tree(out)
    for path in [out / "m.json", *out.glob("*/*/artifact.json"), *out.glob("*/certificate.json")]:
        settle(path)
    files = tree(out)
    if case.measures and files.keys() == after.keys() and all(files.values()):
        files = after
    assert files in (before, after), (case.name, what, done, sorted(raw), sorted(files))
    if done.code == 0:
        assert files == after, (case.name, what)
    elif done.code > 0:
        errors = [line for line in done.err.splitlines() if "error: " in line]
        assert (done.code, len(errors)) == (2, 1), (what, done)
    write_bytes(out / "zz", b"")
    for folder in out.glob("*/"):
        write_bytes(folder / "zz", b"")
        (folder / "zz").unlink()
    (out / "zz").unlink()
    left = [path for path in out.rglob("*") if path.name.startswith(START)]
    assert not left, (case.name, what, left)
    return files == after


@pytest.mark.parametrize(
    ("case", "part"),
    [
        pytest.param(case, True, id=f"{case.name}, a part", marks=pytest.mark.needs(*case.needs))
        for case in CASES
        if case.part
    ]
    + [
        pytest.param(case, False, id=f"{case.name}, whole", marks=[pytest.mark.slow, pytest.mark.needs(*case.needs)])
        for case in CASES
    ],
)
def test_all_old_or_all_new(case, part, data, board, warm, tmp_path, tried):
    out, template = tmp_path / "out", tmp_path / "template"
    out.mkdir()

    def words(text):
        return text.replace("OUT", str(out)).replace("DATA", str(data)).replace("BOARD", board).split()

    for text in case.before:
        program, text = ("runtime", text[8:]) if text.startswith("runtime ") else ("edge-lasso", text)
        done = warm.run(words(text), program)
        assert done.code == 0, done.err
    shutil.copytree(out, template)
    before = tree(out)
    argv = words(case.argv)
    points = warm.points(argv, out, case.program)
    after = tree(out)
    assert after != before
    assert len(points) >= 5
    tries = [(point, fault) for point in points for fault in strace.FAULTS]
    tries += [(None, limit) for limit in LIMITS]
    most = case.part if part else len(tries) if ALL and not case.measures else case.whole
    tries = random.Random(case.name).sample(tries, min(most, len(tries)))
    seen = set()
    for point, fault in tries:
        refresh(out, template)
        done = (
            warm.run(argv, case.program, limit=fault)
            if point is None
            else warm.struck(argv, point, fault, case.program)
        )
        if point is not None and fault.startswith("signal"):
            assert done.code == -9, (point, done)
        if done.code == 0 and "the work goes on" in done.err:  # what was learned may be saved by a later try, or not
            states = tree(out) == after
            assert check(case, out, before, after if states else before, done, (point, fault))
        elif "--state" in argv:
            states = check_state(case, out, before, after, done, (point, fault))
        else:
            states = check(case, out, before, after, done, (point, fault))
        seen.add(states)
    tried(f"interrupted: {case.name}", len(tries))
    assert SWITCH not in {path.name for path in out.rglob("*")}


def check_state(case, out, before, after, done, what):
    """A stream saves its state several times: whatever stands there is a whole state."""
    from edge_lasso_runtime import load, model_hash, snapshot

    model = load(out / "m.json")
    content = snapshot.load(str(out / "state.json"), model_hash(model))
    assert content["state"]["rows"] in (60, 90, 120, 140), (what, content)
    whole = {**before, "state.json": (out / "state.json").read_bytes()}
    return check(case, out, whole, after, done, what)


def test_two_updates_at_once_do_not_lose_rows(data, tmp_path, capsys):
    """The second finds other statistics than it read, and says so."""
    out = tmp_path / "m.json"
    assert (
        main(["train", str(data / "one.csv"), "--target", "y", "--drop", "kind", "--cv", "3", "--out", str(out)]) == 0
    )
    stats = tmp_path / "m.stats.npz"
    from edge_lasso.training import update_table as module

    first = stats.read_bytes()
    update = module.update_table

    def overtaken(*arguments, **options):
        result = update(*arguments, **options)
        if stats.read_bytes() == first:
            assert main(["train", str(data / "two.csv"), "--update", str(stats), "--out", str(out)]) == 0
        return result

    with pytest.MonkeyPatch.context() as patch:
        calls = iter([overtaken, update])
        patch.setattr(module, "update_table", lambda *a, **o: next(calls)(*a, **o))
        capsys.readouterr()
        assert main(["train", str(data / "two.csv"), "--update", str(stats), "--out", str(out)]) == 2
    assert "was changed by another command meanwhile" in capsys.readouterr().err
