"""Statistics that boards kept with ``--learn``: files of moments, each a part of the rows."""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.statistics.design import Design
from edge_lasso.statistics.folds import FoldStatistics
from edge_lasso.statistics.plans import FoldPlan
from edge_lasso.statistics.statistics import Statistics
from edge_lasso_runtime import snapshot
from edge_lasso_runtime.atomic import digest_of
from edge_lasso_runtime.errors import SnapshotError
from edge_lasso_runtime.learn import FORMAT, check

LARGEST = 1 << 26
"""Bytes of a file at most: a model of 1,000 inputs has 20 MB."""


@dataclass(frozen=True)
class Boards:
    """What files of several boards hold together.

    Parameters
    ----------
    design : Design
        Their columns.
    folds : FoldStatistics
        A part and a fold per file.
    units : dict
        Of inputs and outputs, by name.
    facts : list of dict
        ``file``, ``sha256`` and ``rows`` of each.
    """

    design: Design
    folds: FoldStatistics
    units: dict[str, str]
    facts: list[dict[str, Any]]


def read_boards(patterns: str | Path | Sequence[str | Path]) -> Boards:
    """Read files of boards.

    Parameters
    ----------
    patterns : path, or sequence of paths
        Files, folders (every ``.json`` in them), or patterns such as ``boards/*.json``.

    Raises
    ------
    DataError
        Fewer than two files; one that is damaged, or of other readings than the first; one that is there twice.
    """
    files = board_files([patterns] if isinstance(patterns, str | Path) else patterns)
    contents = [_content(file) for file in files]
    first, names = _about(contents[0]), files[0].name
    for file, content in zip(files, contents, strict=True):
        if _about(content) != first:
            raise DataError(
                f"{file} is of another model ({_listed(content)}) than {names} ({_listed(contents[0])}); "
                "put files together whose boards read the same inputs"
            )
    facts = [
        {"file": file.name, "sha256": digest_of(file), "rows": content["rows"]}
        for file, content in zip(files, contents, strict=True)
    ]
    seen: dict[str, str] = {}
    for fact, file in zip(facts, files, strict=True):
        if fact["sha256"] in seen:
            raise DataError(f"{file} and {seen[fact['sha256']]} are the same file; its rows would count twice")
        seen[fact["sha256"]] = str(file)
    design = _design(contents[0])
    everyone = range(len(files))
    splits = tuple((tuple(j for j in everyone if j != i), (i,)) for i in everyone)
    folds = FoldStatistics(design.names, design.targets, FoldPlan(splits))
    folds.parts = [_statistics(design, content) for content in contents]
    units = {entry["name"]: entry["unit"] for key in ("inputs", "outputs") for entry in contents[0][key]}
    return Boards(design, folds, units, facts)


def board_files(patterns: Sequence[str | Path]) -> list[Path]:
    """The files that paths, folders and patterns name, two or more; DataError for a pattern that matches nothing."""
    files: list[Path] = []
    for pattern in map(str, patterns):
        if os.path.isdir(pattern):
            matched = sorted(glob.glob(os.path.join(glob.escape(pattern), "*.json")))
        else:
            matched = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern))
        if not matched:
            raise DataError(f"--from {pattern}: no such file; boards write them with --learn FILE")
        files += map(Path, matched)
    files = list(dict.fromkeys(files))
    if len(files) < 2:
        raise DataError(f"--from: {files[0]} is one board; each board is a fold, so that 2 or more are needed")
    return files


def _content(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST:
            raise DataError(f"{file} has {file.stat().st_size:,} bytes; statistics of a board have {LARGEST:,} at most")
        content: dict[str, Any] = snapshot.load(str(file), None, FORMAT, "fetch it again, or leave it out")
        check(content, str(file))
    except SnapshotError as error:
        raise DataError(str(error).replace("no snapshot", "no statistics of a board")) from None
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from None
    return content


def _about(content: dict[str, Any]) -> str:
    return json.dumps([content["inputs"], content["outputs"]])


def _listed(content: dict[str, Any]) -> str:
    return ", ".join(entry["name"] for entry in content["inputs"])[:80]


def _design(content: dict[str, Any]) -> Design:
    targets = tuple(entry["name"] for entry in content["outputs"])
    inputs = [entry for entry in content["inputs"] if entry["stream"] is None and entry["name"] not in targets]
    categories = {entry["name"]: tuple(entry["categories"]) for entry in inputs if entry["categories"] is not None}
    streams = [tuple(entry["stream"]) for entry in content["inputs"] if entry["stream"] is not None]
    return Design(tuple(entry["name"] for entry in inputs), targets, categories).deriving(streams)


def _statistics(design: Design, content: dict[str, Any]) -> Statistics:
    """Moments as the sums that training reads: an upper triangle, around the means, so that columns add up to zero."""
    columns = len(design.names)
    size, rows = columns + len(design.targets), content["rows"]
    gram = np.zeros((size + 1, size + 1))
    gram.T[np.tril_indices(size)] = content["products"]
    gram[size, size] = rows
    header = {"columns": design.names, "targets": design.targets}
    mean, low, high = (np.array(content[name]) for name in ("mean", "low", "high"))
    none = np.zeros((size + 1, 0)), np.zeros((0, 0)), np.zeros(0, dtype=np.intp)
    counts = np.array([rows, 0], dtype=np.int64)
    unset = np.zeros(size, dtype=bool)
    return Statistics.from_arrays(
        header, [gram, *none, mean, unset, low, high, np.zeros(columns, dtype=np.int64), counts]
    )
