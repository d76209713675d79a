"""Columns of text as numbers: the reading rule of `edge_lasso_runtime.cells`, a column at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from edge_lasso_runtime.cells import FALSE, MISSING, ORDINARY, TRUE, number

Array = npt.NDArray[Any]


def spellings(words: Collection[str]) -> list[str]:
    """Words in lower case as files spell them; also as after a comma and a space."""
    plain = {spelt for word in words for spelt in (word, word.upper(), word.capitalize(), word.title())}
    plain |= {"NaN", "NaT", "-NaN"} & {"NaN" if "nan" in words else "", "NaT" if "nat" in words else ""}
    return sorted(plain | {f" {word}" for word in plain})


GAPS = spellings(MISSING)
TEXT_GAPS = spellings(MISSING - ORDINARY)
TRUE_WORDS, FALSE_WORDS = spellings(TRUE), spellings(FALSE)


def is_text(kind: Any) -> bool:
    """Whether a column's type is text, also encoded."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def text_numbers(column: Any, decimal: str, missing: Collection[str] = ()) -> tuple[Any, int, list[tuple[int, str]]]:
    """A column of text as numbers.

    Parameters
    ----------
    column : pyarrow.Array of text
    decimal : {".", ","}
    missing : collection of str
        Further marks of missing readings.

    Returns
    -------
    numbers : pyarrow.Array of float64
    filled : int
        How many cells hold something.
    unreadable : list of (int, str)
        Row and text of those that are no numbers.
    """
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    meanings = np.full(len(encoded.dictionary) + 1, np.nan)
    gaps = np.zeros(len(meanings), dtype=bool)
    bad = np.zeros(len(meanings), dtype=bool)
    gaps[-1] = True
    for i, text in enumerate(encoded.dictionary.to_pylist()):
        if text is None or text.strip() in missing:
            gaps[i] = True
            continue
        try:
            value = number(text, decimal)
        except ValueError:
            bad[i] = True
        else:
            gaps[i] = value is None
            meanings[i] = np.nan if value is None else value
    codes = encoded.indices.fill_null(len(meanings) - 1) if encoded.indices.null_count else encoded.indices
    places = np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
    rows = np.flatnonzero(bad[places]).tolist()
    return pa.array(meanings[places]), int((~gaps[places]).sum()), [(row, str(column[row])) for row in rows]


def without(column: Any, missing: Collection[str]) -> Any:
    """A column without the marks that stand for missing readings (numbers and words, as typed)."""
    if is_text(column.type):
        text = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        marks = pc.is_in(pc.utf8_trim_whitespace(text), value_set=pa.array(list(missing), text.type))
        return pc.if_else(marks, pa.scalar(None, text.type), text)
    numbers = []
    for mark in missing:
        try:
            numbers.append(float(mark))
        except ValueError:
            continue
    if not numbers or not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        return column
    marks = pc.is_in(column.cast(pa.float64(), safe=False), value_set=pa.array(numbers))
    return pc.if_else(marks, pa.scalar(None, column.type), column)
