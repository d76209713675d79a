"""The runtime on every CPython that a board may have, 3.9 to 3.13, in the real interpreters."""

import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleets import Fleet, Keys

import edge_lasso_runtime
from edge_lasso.compressing.quantize import quantize
from edge_lasso_runtime import Factor, Input, Model, Output, Term, model_hash, predict, save
from edge_lasso_runtime.fixed_point import encode, predict_q

HOME = Path(edge_lasso_runtime.__file__).parent.parent

# Imports every module, reads the models given, predicts rows; nothing is printed in decimals.
SCRIPT = """
import json, os, struct, sys
sys.path.insert(0, sys.argv[1])
import edge_lasso_runtime as r
from edge_lasso_runtime import fixed_point
for name in sorted(os.listdir(r.__path__[0])):
    if name.endswith('.py') and name != '__main__.py':
        __import__('edge_lasso_runtime.' + name[:-3])
for path, rows in json.loads(sys.stdin.read()):
    model = r.load(path)
    found = [value for row in rows for value in r.predict(model, row).linear]
    print(r.model_hash(model), struct.pack('<%dd' % len(found), *found).hex())
    assert r.dumps(r.loads(r.dumps(model))) == r.dumps(model)
    section = model.sections.get('fixed_point/1')
    if section:
        print([fixed_point.predict_q(section, fixed_point.encode(model, row)[0]) for row in rows])
try:
    r.loads('{"format": "edge-lasso-model/2"}')
except r.ModelFormatError as error:
    print(error)
"""


def models():
    inputs = (Input("t", 0, 20.0, -10.0, 50.0, "C"), Input("kind", 2, None, None, None, "", ("red", "green")))
    terms = (Term(0.1, (Factor(0),)), Term(2.0, (Factor(1, 1),)), Term(1e-3, (Factor(0), Factor(0))))
    two = Model(("t", "n", "kind"), inputs, (Output("y", 0.3, terms), Output("z", 1.0, terms[:1])))
    logit = Model(("t",), inputs[:1], (Output("p", -3.0, terms[:1], "logistic"),), classes=("no", "yes"))
    return [two, logit, quantize(two, to="int16"), quantize(logit, to="int16")]


def rows_of(model, seed=0):
    source = random.Random(seed)
    rows = [[source.choice((None, 1, source.uniform(-60, 60))) for _ in model.inputs] for _ in range(20)]
    return [*rows, [1e300] * len(model.inputs)]


def test_the_same_meaning_everywhere(tmp_path, cpython):
    jobs, wanted = [], []
    for i, model in enumerate(models()):
        save(model, tmp_path / f"{i}.json")
        rows = rows_of(model, i)
        jobs.append((str(tmp_path / f"{i}.json"), rows))
        found = [value for row in rows for value in predict(model, row).linear]
        wanted.append(f"{model_hash(model)} {struct.pack(f'<{len(found)}d', *found).hex()}")
        section = model.sections.get("fixed_point/1")
        if section:
            wanted.append(str([predict_q(section, encode(model, row)[0]) for row in rows]))
    wanted.append("model: format is 'edge-lasso-model/2'; this version reads 'edge-lasso-model/1'")
    command = [cpython, "-I", "-W", "error", "-c", SCRIPT, str(HOME)]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    assert done.stdout.splitlines() == wanted


def test_the_command_line(tmp_path, cpython):
    model = models()[0]
    save(model, tmp_path / "model.json")
    (tmp_path / "data.csv").write_text("kind,noise,t\nred,1,20.5\ngreen,?,\n", encoding="utf-8")
    command = [cpython, "-W", "error", "-m", "edge_lasso_runtime", "predict", "model.json", "data.csv"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(HOME)}, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    wanted = [predict(model, row).values for row in ({"t": 20.5, "kind": "red"}, {"kind": "green"})]
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert rows[0][:2] == ["y", "z"]
    assert [[float(one) for one in row[:2]] for row in rows[1:]] == wanted


SERVE = """
import sys, threading, urllib.request, os, signal, time
sys.path.insert(0, sys.argv[1])
from edge_lasso_runtime.__main__ import main
def ask():
    for _ in range(200):
        time.sleep(0.1)
        try:
            print(urllib.request.urlopen('http://127.0.0.1:' + sys.argv[3] + '/v2/health/live').read().decode(), flush=True)
            break
        except OSError:
            continue
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=ask).start()
sys.exit(main(['serve', sys.argv[2], '--listen', '127.0.0.1:' + sys.argv[3]]))
"""


# the oldest, and this one: those in between run here as WebAssembly, which has neither sockets nor processes
ENDS = [
    pytest.param(name, marks=pytest.mark.needs(name)) for name in ("python3.9", f"python3.{sys.version_info.minor}")
]


@pytest.mark.parametrize("cpython", ENDS, indirect=True)
def test_the_oldest_serves(tmp_path, cpython):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    save(models()[0], tmp_path / "model.json")
    command = [cpython, "-I", "-B", "-c", SERVE, str(HOME), str(tmp_path / "model.json"), port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, '{"live":true}\n'), done.stderr


@pytest.mark.needs("ssh-keygen")
@pytest.mark.parametrize("cpython", ENDS, indirect=True)
def test_the_oldest_updates(tmp_path, cpython):
    fleet = Fleet(tmp_path, Keys(tmp_path))
    now = float(int(time.time()))
    fleet.bundle(serial=6, created=now - 60.0, expires=now + 1e6)
    rows = tmp_path / "rows.csv"
    rows.write_text("a,b,y\n" + "0.5,0.25,1.25\n" * 5)
    command = [cpython, "-m", "edge_lasso_runtime", "update", "--home", str(fleet.home), "--from", str(fleet.source)]
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    done = subprocess.run([*command, "--rows", str(rows)], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert fleet.serves().startswith("6-")
