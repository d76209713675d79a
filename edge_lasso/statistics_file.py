"""The ``.stats.npz`` file: statistics of one or several parts of the rows, names first, sealed with a SHA-256.

The digest is the comment of the zip archive, so that any reader of ``.npz`` opens the file and any damage is seen
before a byte of it is interpreted.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_lasso.atomic import write_bytes
from edge_lasso.errors import DataError
from edge_lasso.statistics import Statistics

FORMAT = "edge-lasso-statistics/1"
ARRAYS = ("gram", "gram_mask", "mask_mask", "gaps", "shift", "unset", "low", "high", "missing", "counts")


def save(path: Path | str, parts: Sequence[Statistics], about: dict[str, Any]) -> None:
    """Write parts that share their names, and JSON-ready data about them."""
    first = parts[0]
    header = {
        "format": FORMAT,
        "columns": first.columns,
        "targets": first.targets,
        "hash": first.hash,
        "parts": len(parts),
        "about": about,
    }
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
    for i, part in enumerate(parts):
        arrays |= {f"{i}/{name}": value for name, value in zip(ARRAYS, _arrays(part), strict=True)}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest().encode()
    write_bytes(path, data[:-2] + len(digest).to_bytes(2, "little") + digest)


def load(path: Path | str) -> tuple[list[Statistics], dict[str, Any]]:
    """Read what `save` wrote.

    Raises
    ------
    DataError
        Not such a file, or a damaged one.
    OSError
        The file cannot be read.
    """
    name = Path(path).name
    data = Path(path).read_bytes()
    body, digest = data[:-66] + b"\0\0", data[-64:]
    if len(data) < 100 or hashlib.sha256(body).hexdigest().encode() != digest:
        raise DataError(f"{name} is not a statistics file or is damaged; train again to make a new one")
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            header = json.loads(bytes(archive["header"]))
            if header["format"] != FORMAT:
                raise DataError(f"{name} has format {header['format']!r}; this version reads {FORMAT!r}")
            parts = [_part(header, [archive[f"{i}/{array}"] for array in ARRAYS]) for i in range(int(header["parts"]))]
            about = dict(header["about"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is not a statistics file ({error}); train again to make a new one") from None
    if not parts or parts[0].hash != header["hash"]:
        raise DataError(f"{name} does not hold the columns it was sealed with; train again to make a new one")
    return parts, about


def _arrays(part: Statistics) -> list[Any]:
    part._flush()
    size = part._size
    counts = np.array([part.rows, part.dropped], dtype=np.int64)
    keep = slice(size + 1)
    gram = np.ascontiguousarray(part._gram[keep, keep])
    gram_mask = part._gram_mask[keep]
    gaps = (part._mask_mask, part._gaps)
    return [gram, gram_mask, *gaps, part._shift, part._unset, part.low, part.high, part.missing, counts]


def _part(header: dict[str, Any], arrays: list[Any]) -> Statistics:
    part = Statistics(header["columns"], header["targets"])
    gram, gram_mask, mask_mask, gaps, shift, unset, low, high, missing, counts = arrays
    size, p, g = part._size, len(part.columns), len(gaps)
    shapes = [(size + 1, size + 1), (size + 1, g), (g, g), (g,), (size,), (size,), (size,), (size,), (p,), (2,)]
    if [array.shape for array in arrays] != shapes:
        raise DataError("its arrays do not fit its columns")
    if not all(np.isfinite(array).all() for array in (gram, gram_mask, mask_mask, shift)):
        raise DataError("it holds values that are not finite")
    keep = slice(size + 1)
    part._gram[keep, keep] = gram
    part._gaps = gaps.astype(np.intp)
    part._gram_mask = np.zeros((part._width, g))
    part._gram_mask[keep] = gram_mask
    part._mask_mask = mask_mask
    part._shift, part._unset, part.low, part.high, part.missing = shift, unset, low, high, missing
    part.rows, part.dropped = int(counts[0]), int(counts[1])
    return part
