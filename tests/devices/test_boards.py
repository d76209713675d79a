"""Profiles: complete, sourced, strict; what runs where."""

import tomllib

import pytest

from edge_lasso_devices.boards import PROFILES, boards, calibrated_profile, load_board, targets
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.schema import FIGURES

PI_4B = (PROFILES / "pi-4b.toml").read_text()


@pytest.fixture(autouse=True)
def _own_profiles(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_LASSO_BOARDS", str(tmp_path / "own"))


def test_every_profile_loads_and_every_figure_has_its_source():
    known = boards()
    assert len(known) == 16
    for board in known:
        table = tomllib.loads((PROFILES / f"{board.name}.toml").read_text())
        for name in FIGURES.keys() & table.keys():
            assert len(table[name]["source"]) > 10, (board.name, name)
        assert board.cycles_per_instruction.band > 1
        assert targets(board)["c"] is None


@pytest.mark.parametrize(
    ("name", "runs", "reasons"),
    [
        ("pi-zero-w", {"python", "c"}, {"onnx": "32-bit ARM", "tflite": "armv6"}),
        ("pi-4b", {"python", "c", "onnx", "tflite"}, {}),
        ("pico", {"python", "c", "tflite"}, {"onnx": "operating system"}),
        ("arduino-uno", {"c"}, {"python": "2 KB of RAM", "onnx": "operating system", "tflite": "TFLite Micro"}),
    ],
)
def test_targets_say_why_not(name, runs, reasons):
    said = targets(load_board(name))
    assert {target for target, reason in said.items() if reason is None} == runs
    for target, part in reasons.items():
        assert part in said[target]


def test_old_python_of_a_32_bit_system_decides_about_tflite(tmp_path):
    text = PI_4B.replace("bits = { value = 64", "bits = { value = 32")
    path = tmp_path / "old.toml"
    path.write_text(text)
    assert targets(load_board(str(path)))["tflite"] is None
    path.write_text(text.replace('["3.9", "3.11", "3.13"]', '["3.13"]'))
    assert "none for Python above 3.11" in targets(load_board(str(path)))["tflite"]
    assert "32-bit ARM" in targets(load_board(str(path)))["onnx"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pi-4", "board 'pi-4' is unknown; the nearest is 'pi-4b'"),
        ("Pico2", "the nearest is 'pico-2'"),
        ("zzzzzz", "board 'zzzzzz' is unknown; there are arduino-uno, "),
        ("../profiles/pico", "unknown; the nearest"),
        ("nothing.toml", "cannot read nothing.toml: No such file"),
    ],
)
def test_unknown_board(name, message):
    with pytest.raises(BoardError, match=message):
        load_board(name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value = 1500", "value = -1500", "own.toml: clock_mhz is -1500; it must be a positive number"),
        ("value = 1500", "value = true", "clock_mhz is True; it must be a positive number"),
        ("value = 1500", "value = nan", "clock_mhz is nan; it must be a positive number"),
        ("value = 1500, source =", "value = 1500, sauce =", "clock_mhz has no source; say where"),
        ("value = 1500, source =", 'value = 1500, unit = "MHz", source =', "clock_mhz has an unknown key 'unit'"),
        ("clock_mhz =", "clock =", "own.toml: clock is unknown; did you mean 'clock_mhz'"),
        (
            "ram_bytes = { value = 1073741824",
            "ram_bytes = { value = 1.5",
            "ram_bytes is 1.5; it must be a positive whole",
        ),
        ("band = 2", "band = 0.5", "cycles_per_instruction has a band below 1"),
        ('class = "linux"', 'class = "windows"', "class must be one of linux, microcontroller"),
        ('class = "linux"', "", "class is missing"),
        ('title = "', "title = ", "is not TOML"),
    ],
)
def test_a_faulty_profile_is_refused_by_file_and_field(tmp_path, old, new, message):
    path = tmp_path / "own.toml"
    assert old in PI_4B
    path.write_text(PI_4B.replace(old, new, 1))
    with pytest.raises(BoardError, match=message):
        load_board(str(path))


def test_missing_field(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("\n".join(line for line in PI_4B.splitlines() if not line.startswith("cores")))
    with pytest.raises(BoardError, match=r"own\.toml: cores is missing"):
        load_board(str(path))


def test_a_calibrated_board_keeps_all_but_its_speed():
    published = load_board("pi-5")
    path, text = calibrated_profile(published, 0.5, 1.1, 'a "probe" of\nmine \\o/')
    path.write_text(text)
    measured = load_board("pi-5")
    assert measured.path == str(path)
    assert measured.cycles_per_instruction.value == 0.5
    assert measured.cycles_per_instruction.source == 'a "probe" of mine \\o/'
    assert measured.clock_mhz == published.clock_mhz
    assert [board.name for board in boards()].count("pi-5") == 1
