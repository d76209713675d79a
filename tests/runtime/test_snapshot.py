"""Snapshots: whole at every moment, and never taken for what they are not."""

import json
import os
import random
import subprocess
import sys
import time

import pytest
from streams import detecting, rows

from edge_lasso_runtime import Term, save, snapshot
from edge_lasso_runtime.step import start, step

pytestmark = pytest.mark.long

COMMAND = [sys.executable, "-m", "edge_lasso_runtime", "score"]


@pytest.fixture
def file(tmp_path):
    save(detecting(lags=3), tmp_path / "model.json")
    return tmp_path / "model.json"


def lines(readings):
    return "".join(json.dumps(row) + "\n" for row in readings).encode()


def run(*arguments, data=b""):
    return subprocess.run([*COMMAND, *map(str, arguments)], input=data, capture_output=True, check=False)


def test_a_restart_goes_on_as_if_there_had_been_none(file, tmp_path):
    readings = rows(300, missing=0.05)
    state = tmp_path / "state.json"
    whole = run(file, data=lines(readings))
    parts = [
        run(file, "--state", state, data=lines(part)).stdout
        for part in (readings[:100], readings[100:101], readings[101:])
    ]
    assert b"".join(parts) == whole.stdout


def test_killed_at_any_moment_a_whole_state_is_there_and_goes_on_right(file, tmp_path):
    """As after a power cut: SIGKILL at random moments, until all is scored; every restart begins at the saved row."""
    readings = rows(8_000, missing=0.05)
    whole = run(file, data=lines(readings)).stdout.splitlines()
    assert len(whole) == len(readings)
    state = tmp_path / "state.json"
    rng = random.Random(3)
    done, kills, every = 0, 0, 50
    while done < len(readings):
        command = [*COMMAND, str(file), "--state", str(state), "--every", str(every)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            if kills < 20:
                part = rng.randrange(1, 600)
                process.stdin.write(lines(readings[done : done + part]))
                process.stdin.flush()
                out = [process.stdout.readline() for _ in range(min(part, rng.choice([1, every, 300])))]
                time.sleep(rng.random() * 0.01)
                process.kill()
                kills += 1
                out += process.stdout.readlines()
            else:
                out = process.communicate(lines(readings[done:]))[0].splitlines()
        scored = [line.rstrip(b"\n") for line in out if line.endswith((b"\n", b"}"))]
        assert scored == whole[done : done + len(scored)]
        saved = json.loads(state.read_text())["content"]["state"]["rows"]
        assert done <= saved <= done + len(scored)
        assert done + len(scored) - saved <= every
        done = saved


def content(state, **changes):
    data = json.loads(state.read_text())
    data.update(changes)
    return json.dumps(data)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda state: "", "is damaged, or no snapshot"),
        (lambda state: state.read_text()[:200], "is damaged, or no snapshot"),
        (lambda state: "[" * 100_000, "is damaged, or no snapshot"),
        (lambda state: '{"format": "edge-lasso-model/1"}', "is damaged, or no snapshot"),
        (lambda state: state.read_text().replace('"rows":20', '"rows":21'), "is damaged: its checksum is not that"),
        (lambda state: content(state, model="0" * 64), "is damaged: its checksum is not that"),
        (lambda state: content(state, format="edge-lasso-state/2"), "has the format 'edge-lasso-state/2'; this version reads"),
    ],
)  # fmt: skip
def test_a_damaged_snapshot_is_refused_and_says_what_to_do(file, tmp_path, damage, text):
    state = tmp_path / "state.json"
    run(file, "--state", state, data=lines(rows(20)))
    state.write_text(damage(state))
    before = state.read_text()
    done = run(file, "--state", state, data=lines(rows(20)))
    assert (done.returncode, done.stdout) == (2, b"")
    assert text in done.stderr.decode()
    assert done.stderr.decode().endswith("start afresh with --fresh, or name another file\n")
    assert done.stderr.count(b"\n") == 1
    assert state.read_text() == before
    assert run(file, "--state", state, "--fresh", data=lines(rows(20))).returncode == 0
    assert json.loads(state.read_text())["content"]["state"]["rows"] == 20


def test_a_snapshot_of_another_model_is_refused(file, tmp_path):
    state = tmp_path / "state.json"
    run(file, "--state", state, data=lines(rows(20)))
    model = detecting(lags=3)
    changed = model.outputs[0].replace(terms=(Term(0.75, model.outputs[0].terms[0].factors),))
    save(model.replace(outputs=(changed, *model.outputs[1:])), tmp_path / "other.json")
    done = run(tmp_path / "other.json", "--state", state)
    assert done.returncode == 2
    assert "is of another model (" in done.stderr.decode()


def test_a_disk_that_fills_up_is_reported_once_and_scoring_goes_on(file, tmp_path):
    state = tmp_path / "folder" / "state.json"
    state.parent.mkdir()
    with subprocess.Popen(
        [*COMMAND, str(file), "--state", str(state), "--every", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        for i, row in enumerate(rows(6)):
            process.stdin.write(lines([row]))
            process.stdin.flush()
            assert process.stdout.readline()
            if i == 2:
                state.parent.rename(tmp_path / "away")
        process.stdin.close()
        assert process.wait() == 2
        said = process.stderr.read().decode().splitlines()
    assert len(said) == 2
    assert "the state is not saved, scoring goes on" in said[0]
    assert said[1].startswith("edge_lasso_runtime: error: ")


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes")
def test_a_snapshot_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path):
    import resource

    path = tmp_path / "state.json"
    snapshot.save(str(path), "m", {"rows": 1})
    before = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, old[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*state\.json'$"):
            snapshot.save(str(path), "m", {"rows": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]
    assert path.read_bytes() == before


def test_states_of_every_kind_survive_the_file(tmp_path):
    from edge_lasso_runtime import snapshot

    model = detecting(lags=3)
    state = start(model)
    for row in rows(50, missing=0.2):
        step(model, state, row)
    path = str(tmp_path / "state.json")
    snapshot.save(path, "ab", state.to_dict())
    again = start(model)
    again.restore(snapshot.load(path, "ab"))
    assert again.to_dict() == state.to_dict()
    assert snapshot.load(str(tmp_path / "none"), "ab") is None
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_a_folder_holds_a_state_per_model(file, tmp_path):
    states = tmp_path / "states"
    states.mkdir()
    save(detecting(), tmp_path / "other.json")
    for one, count in ((file, 5), (tmp_path / "other.json", 7), (file, 3)):
        assert run(one, "--state", states, data=lines(rows(count))).returncode == 0
    kept = [json.loads(path.read_text())["content"]["state"]["rows"] for path in states.glob("*.json")]
    assert sorted(kept) == [7, 8]
