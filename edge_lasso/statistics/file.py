"""The ``.stats.npz`` file: statistics of one or several parts of the rows, names first, sealed with a SHA-256.

The digest is the comment of the zip archive, so that any reader of ``.npz`` opens the file and any damage is seen
before a byte of it is interpreted.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_lasso.errors import DataError
from edge_lasso_runtime.unfinished import settle

Array = npt.NDArray[Any]
LARGEST_SUM = 1e90
"""No sum of squares of readings below `READING_LIMIT` is larger."""
FORMAT = "edge-lasso-statistics/1"
ARRAYS = ("gram", "gram_mask", "mask_mask", "gaps", "shift", "unset", "low", "high", "missing", "counts")


def dumps(header: dict[str, Any], parts: Sequence[Sequence[Array]]) -> bytes:
    """The file of the `ARRAYS` of parts that share their names, and a JSON-ready header.

    The header has columns, targets, hash, about, and the hash of the model that they were written with, if any.
    """
    header = {"format": FORMAT, **header, "parts": len(parts)}
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
    for i, part in enumerate(parts):
        arrays |= {f"{i}/{name}": value for name, value in zip(ARRAYS, part, strict=True)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[:-2] + len(digest).to_bytes(2, "little") + digest


def load(path: Path | str) -> tuple[dict[str, Any], list[list[Array]]]:
    """Read what `dumps` gave: the header, and the arrays of each part.

    Raises
    ------
    DataError
        Not such a file, or a damaged one.
    OSError
        The file cannot be read.
    """
    name = Path(path).name
    settle(path)
    data = Path(path).read_bytes()
    body, digest = data[:-66] + b"\0\0", data[-64:]
    if len(data) < 100 or hashlib.sha256(body).hexdigest().encode() != digest:
        raise DataError(f"{name} is not a statistics file or is damaged; train again to make a new one")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as members:  # ours are not compressed, so none grows when it is read
            if any(about.file_size != about.compress_size for about in members.infolist()):
                raise DataError(f"{name} is not a statistics file; train again to make a new one")
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            header = json.loads(bytes(archive["header"]))
            if header["format"] != FORMAT:
                raise DataError(f"{name} has format {header['format']!r}; this version reads {FORMAT!r}")
            parts = [[archive[f"{i}/{array}"] for array in ARRAYS] for i in range(int(header["parts"]))]
            for part in parts:
                _check(header, part)
            header["about"] = dict(header["about"])
            header["model"] = str(header.get("model", ""))
    except DataError:
        raise
    except Exception as error:  # zip, zlib, numpy and its parser of headers raise whatever they like
        raise DataError(
            f"{name} is not a statistics file ({' '.join(str(error).split())[:200]}); train again to make a new one"
        ) from None
    if not parts or names_hash(header["columns"], header["targets"]) != header["hash"]:
        raise DataError(f"{name} does not hold the columns it was sealed with; train again to make a new one")
    return header, parts


def names_hash(columns: Sequence[str], targets: Sequence[str]) -> str:
    """SHA-256 (hex) of column and target names."""
    return hashlib.sha256(json.dumps([list(columns), list(targets)]).encode()).hexdigest()


def name_difference(mine: Sequence[str], wanted: Sequence[str]) -> str:
    """The first difference between two lists of names in words; empty: none."""
    if tuple(mine) == tuple(wanted):
        return ""
    differ = next((i for i, (a, b) in enumerate(zip(mine, wanted, strict=False)) if a != b), None)
    if differ is None or len(mine) != len(wanted):
        return f"{len(mine) - 1} columns and targets where {len(wanted) - 1} are needed"
    return f"{mine[differ]!r} where {wanted[differ]!r} is needed"


def _check(header: dict[str, Any], arrays: Sequence[Array]) -> None:
    gram, gram_mask, mask_mask, gaps, shift = arrays[:5]
    p = len(header["columns"])
    size, g = p + len(header["targets"]), len(gaps)
    shapes = [(size + 1, size + 1), (size + 1, g), (g, g), (g,), (size,), (size,), (size,), (size,), (p,), (2,)]
    names = [*header["columns"], *header["targets"]]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise DataError("its columns are not names, each its own")
    if [array.dtype.kind for array in arrays] != list("fffifbffii"):
        raise DataError("its arrays are of other kinds")
    if [array.shape for array in arrays] != shapes:
        raise DataError("its arrays do not fit its columns")
    if not all((np.abs(array) <= LARGEST_SUM).all() for array in (gram, gram_mask, mask_mask, shift)):
        raise DataError("it holds values that are not finite, or no sums of readings")
    if g and not (gaps.min() >= 0 and gaps.max() <= p):
        raise DataError("it names columns that it does not have")
