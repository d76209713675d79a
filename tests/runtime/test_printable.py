"""Nothing from a file or a network steers a terminal, and no flood fills the memory."""

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from streams import detecting

import edge_lasso_runtime
from edge_lasso.commands.main import main
from edge_lasso_runtime import dumps
from edge_lasso_runtime.__main__ import main as board
from edge_lasso_runtime.printable import printable

STEERING = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil\r\x7f\udc80"


def test_what_steers_is_written_out():
    assert printable("größe µ 日本\n\tpm2.5") == "größe µ 日本\n\tpm2.5"
    assert printable("\x1b[31m") == "\\x1b[31m"
    shown = printable(STEERING)
    assert shown.isprintable()
    assert shown.encode()
    assert "\\x1b]0;owned\\x07" in shown


@pytest.mark.parametrize("command", ["show m.json", "show nowhere{0}", "train data.parquet --target y", "train data.parquet --target no{0}",
                                     "report m.json --out r.html", "check data.parquet", "predict m.json data.parquet --out p.txt{0}"])  # fmt: skip
def test_no_command_lets_it_through(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[2J\x07"
    i = np.arange(60.0)
    table = pa.table({name: i % 7, "b\x1b]0;x\x07": i % 5, "y": 2 * (i % 7) - i % 5})
    pa.parquet.write_table(table, "data.parquet")
    assert main(["train", "data.parquet", "--target", "y", "--out", "m.json"]) == 0
    main(command.format("\x1b[2J").split())
    out, err = capsys.readouterr()
    assert not {"\x1b", "\x07"} & {*out, *err}


def test_nor_does_the_runtime(tmp_path, capsys):
    path = tmp_path / "m.json"
    path.write_text(dumps(detecting()).replace('"format"', '"for\\u001b[2Jmat"', 1))
    for words in (
        ["predict", str(path), "-"],
        ["selftest", str(path)],
        ["selftest", "nowhere\x1b[2J"],
        ["score", "\x1b[2J"],
    ):
        assert board(words) == 2
        assert "\x1b" not in "".join(capsys.readouterr())


@pytest.fixture
def bridge():
    pytest.importorskip("paho")
    from edge_lasso_runtime.keeper import Keeper
    from edge_lasso_runtime.mqtt import Bridge
    from edge_lasso_runtime.mqtt_rows import Rows
    from edge_lasso_runtime.results import Results

    model = detecting()
    return Bridge(model, Keeper(model, None), Results(model, None, False), Rows(model, ["sensors/#"], False), "out")


def test_a_subscription_that_is_refused_is_an_error(bridge):
    bridge._filters = ["sensors/#", "secret/#"]
    granted, refused = (SimpleNamespace(is_failure=failure, __str__=lambda self: "") for failure in (False, True))
    bridge._on_subscribe(None, None, 1, [granted, granted], None)
    assert bridge.refused == ""
    bridge._on_subscribe(None, None, 1, [granted, refused], None)
    assert bridge.refused.startswith("to subscribe to secret/# (")


def test_a_flood_is_dropped_counted_and_told(bridge, capsys):
    from edge_lasso_runtime.mqtt import LONGEST, WAITING

    def message(qos, size=3):
        return SimpleNamespace(qos=qos, payload=b"1" * size, topic="sensors/a", retain=False, dup=False, mid=1)

    for _ in range(WAITING + 5):
        bridge._on_message(None, None, message(0))
    bridge._on_message(None, None, message(1))
    bridge._on_message(None, None, message(0, LONGEST + 1))
    assert bridge.dropped == 6
    assert bridge.queue.qsize() == WAITING + 1
    err = capsys.readouterr().err
    assert err.count("dropped so far") == 3  # at 1, 2 and 4
    assert "publish with QoS 1" in err


def test_no_module_of_the_runtime_prints_text_of_others_raw():
    """`print` is given what is safe already: `printable(...)`, JSON in ASCII, digits; all else is for `say`."""
    safe = ("printable(", "json.dumps(", "state_digest(")
    raw = []
    for path in sorted(Path(edge_lasso_runtime.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                text = ast.unparse(node)
                if not any(call in text for call in safe):
                    raw.append(f"{path.name}: {text}")
    assert raw == []


@pytest.mark.long
@pytest.mark.parametrize("program", ["edge_lasso show", "edge_lasso_runtime selftest"])
def test_a_closed_output_is_one_line_and_no_file_takes_its_place(tmp_path, program):
    (tmp_path / "m.json").write_text(dumps(detecting()))
    command = f"{sys.executable} -m {program} m.json"
    done = subprocess.run(["sh", "-c", f"{command} >&-"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    name = "edge-lasso" if "show" in program else "edge_lasso_runtime"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"{name}: error: standard output is closed; give it a place, such as >/dev/null\n"
    done = subprocess.run(
        ["sh", "-c", f"{command.replace('m.json', 'no.json')} 2>&-"], cwd=tmp_path, capture_output=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", b""), "what is wrong is no result"
