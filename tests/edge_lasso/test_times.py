"""Times in every form they come in, and the order they give."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_lasso.tables.times import NOT_A_TIME, order_times, parse_times, repeats, without_time

MOMENT = datetime(2024, 5, 31, 13, 0, 30, tzinfo=UTC)
MICROSECONDS = 1_717_160_430_000_000


@pytest.mark.parametrize("column", [
    ["2024-05-31 13:00:30"], ["2024-05-31T13:00:30"], ["2024-05-31T13:00:30Z"], ["2024-05-31T15:00:30+02:00"],
    ["2024-05-31 13:00:30.000000"], [" 2024-05-31 13:00:30 "], ["20240531T130030"], ["1717160430"], ["1717160430.0"],
    [1717160430], [1717160430.0], [1717160430000], [1717160430000000], [1717160430000000000], ["1717160430000"],
    [MOMENT], [MOMENT.replace(tzinfo=None)], [MOMENT.astimezone(timezone(timedelta(hours=5)))],
], ids=str)  # fmt: skip
def test_forms(column):
    assert parse_times(pa.array(column)).tolist() == [MICROSECONDS]
    mixed = parse_times(pa.array([*column, None]))
    assert mixed.tolist() == [MICROSECONDS, NOT_A_TIME]


def test_dates_and_dictionaries():
    days = 19874 * 86_400_000_000
    assert parse_times(pa.array(["2024-05-31"])).tolist() == [days]
    assert parse_times(pa.array([19874], pa.date32())).tolist() == [days]
    assert parse_times(pa.array(["2024-05-31"] * 3).dictionary_encode()).tolist() == [days] * 3
    assert parse_times(pa.array([MOMENT], pa.timestamp("ns", "Asia/Tokyo"))).tolist() == [MICROSECONDS]


@pytest.mark.parametrize("column", [["31/05/2024"], ["soon"], [""], [None], [float("nan")], [float("inf")], [True]], ids=str)  # fmt: skip
def test_what_is_no_time(column):
    assert parse_times(pa.array(column)).tolist() == [NOT_A_TIME]


def test_one_odd_value_does_not_spoil_the_others():
    column = pa.array(["2024-05-31 13:00:30", "soon", "2024-05-31 13:00:30+00:00", None, "1717160430"])
    assert parse_times(column).tolist() == [MICROSECONDS, NOT_A_TIME, MICROSECONDS, NOT_A_TIME, MICROSECONDS]


@settings(max_examples=100)
@given(st.lists(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), min_size=1, max_size=9), st.booleans())
def test_iso_text_means_what_datetime_means(moments, odd):
    column = pa.array([*(one.isoformat(" ") for one in moments), *(["x"] if odd else [])])
    wanted = [
        (one.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for one in moments
    ]
    assert parse_times(column)[: len(moments)].tolist() == wanted


def test_what_is_said_of_them():
    parts = [np.array([30, 10]), np.array([NOT_A_TIME, 20, 10, NOT_A_TIME])]
    times = order_times([1_000_000 * part if part[0] != NOT_A_TIME else np.where(part == NOT_A_TIME, part, 1_000_000 * np.abs(part % 97)) for part in parts], "when", [(2, "soon")])  # fmt: skip
    assert times.notes[0] == "2 rows without a time in 'when' left out (first: row 3, 'soon')"
    assert times.notes[1] == "rows put in the order of 'when'"
    assert times.notes[2] == "1 row repeats a time in 'when' (first: 1970-01-01T00:00:10); all are used"
    assert times.known.tolist() == [True, True, False, True, True, False]
    assert order_times([np.arange(5)], "when", []).notes == []


def test_notes_count_in_words():
    assert without_time(1, "when", 2, "None") == "1 row without a time in 'when' left out (first: row 3, empty)"
    assert without_time(1200, "when", 2, "soon").startswith(
        "1,200 rows without a time in 'when' left out (first: row 3, 'soon')"
    )
    assert repeats(1, "when") == "1 row repeats a time in 'when'"
    assert repeats(2, "when") == "2 rows repeat a time in 'when'"
