"""Modelled times: the formula, its band, and calibration as its inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lasso_devices.boards import boards, load_board
from edge_lasso_devices.errors import BoardError
from edge_lasso_devices.time_model import calibration, model_time


def test_the_calibration_point_itself():
    """n-body on a Pi 4: 57,343 instructions a step, 5 million steps in 158 s."""
    time = model_time(load_board("pi-4b"), 57343)
    assert time.us == pytest.approx(158e6 / 5e6, rel=0.01)
    assert time.kind == "modelled"
    assert (time.low, time.high) == (time.us / 2, time.us * 2)
    assert "instructions x 0.83 / 1500 MHz; n-body" in time.source


@pytest.mark.parametrize(
    ("name", "share"), [("pi-zero-w", 0.33), ("pi-zero-2w", 0.54), ("pi-3b-plus", 0.64), ("pi-5", 1.85)]
)
def test_published_shares_of_a_pi_4(name, share):
    assert model_time(load_board("pi-4b"), 1000).us / model_time(load_board(name), 1000).us == pytest.approx(
        share, rel=0.02
    )


def test_cycles_are_preferred_where_the_core_is_the_boards_own():
    uno = load_board("arduino-uno")
    assert model_time(uno, 100, 760).us == 760 / 16
    assert model_time(uno, 100).us == 150 / 16
    assert "cycles" in model_time(uno, 100, 760).source
    assert model_time(load_board("pico-2"), 100, 760).us == pytest.approx(100 * 1.2 / 150), "no cycles of this board"


@given(st.floats(1, 1e12), st.sampled_from(boards()))
def test_band_and_calibration(count, board):
    time = model_time(board, count)
    assert 0 < time.low < time.us < time.high
    assert calibration(board, count, time.us) == pytest.approx(board.cycles_per_instruction.value)


@pytest.mark.parametrize("count", [0, -1, float("nan"), float("inf")])
def test_counts_must_be_positive(count):
    with pytest.raises(BoardError, match=r"instructions is .*; a count must be a positive number"):
        model_time(load_board("pico"), count)
    with pytest.raises(BoardError, match="cycles is"):
        model_time(load_board("pico"), 1, count)
    with pytest.raises(BoardError, match="calibrating needs"):
        calibration(load_board("pico"), -1, 1)
