"""The examples with data: the lines of their READMEs are run, and what they find is looked at."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def run_readme(root, name, tmp_path):
    """What the lines of an example's README print, run in a copy of it."""
    folder = tmp_path / name
    shutil.copytree(root / "examples" / name, folder)
    (lines,) = re.findall(r"^```sh\n(.*?)^```$", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", lines],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


@pytest.mark.needs("gcc")
def test_sensors_of_a_plant_watch_each_other(root, tmp_path):
    _, out = run_readme(root, "plant_detector", tmp_path)
    normal, drifting = re.findall(r"^2000 rows, (\d+) in alarm, \d+ alarms?$", out, re.MULTILINE)
    assert (normal, int(drifting) > 0) == ("0", True)
    alarms = re.findall(r"^(2013-\d\d-\d\d) \d\d:00:00 alarm, score [\d.]+, most of it from (\w+)$", out, re.MULTILINE)
    assert alarms
    assert all(day > "2013-07" and sensor == "Tiantan" for day, sensor in alarms)


@pytest.fixture
def room(root, tmp_path):
    return run_readme(root, "micropython_occupancy", tmp_path)


@pytest.mark.long
def test_somebody_is_in_the_room(room):
    shown = re.search(r"^300 rows, (\d+) right, (\d) changes$", room[1], re.MULTILINE)
    assert int(shown.group(1)) >= 295
    assert int(shown.group(2)) >= 1


@pytest.mark.needs("micropython-unix")
def test_micropython_says_the_same(room, micropython_unix):
    folder, out = room
    done = subprocess.run(
        [micropython_unix, "main.py"], cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == out.splitlines()[-3:]
