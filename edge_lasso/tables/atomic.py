"""Output files are written under a temporary name and renamed: an interrupted run never leaves a broken file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path | str) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it takes its name when the block ends, and is removed when the block fails.

    Parameters
    ----------
    path : path
        The folder must exist.

    Raises
    ------
    OSError
        The folder is not writable or the disk is full; the old file, if any, is untouched.
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def staged(path: Path | str) -> Iterator[Path]:
    """Give a file its name only when the block ends well: for files that belong together.

    Parameters
    ----------
    path : path
        The folder must exist.

    Yields
    ------
    Path
        A temporary name beside it to write to; what stands there is removed when the block fails.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a whole file or nothing; see `replacing`."""
    with replacing(path) as file:
        file.write(data)


def write_text(path: Path | str, text: str) -> None:
    """Write a whole UTF-8 text file or nothing."""
    write_bytes(path, text.encode())


def write_json(path: Path | str, data: Any) -> None:
    """Write a whole JSON file or nothing."""
    write_text(path, json.dumps(data, indent=1, allow_nan=False) + "\n")
