"""The files of artifacts: which folders hold one, what is in them, copies to execute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from edge_lasso_runtime.artifact import FILE
from edge_lasso_runtime.errors import SessionError

LARGEST = 256 * 2**20
"""Bytes of an artifact's files."""


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of an artifact by their names in its folder; SessionError where they are too large to be one."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    if sum(path.stat().st_size for path in paths) > LARGEST:
        raise SessionError(f"{folder} holds more than {LARGEST >> 20} MB; an artifact does not")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 (hex) of each."""
    return {name: sha256(data).hexdigest() for name, data in files.items()}


def folders(paths: Sequence[Path | str]) -> list[Path]:
    """The artifacts among paths: artifact folders, files in one, and folders that hold some."""
    result: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(path.parent for path in path.glob(f"*/{FILE}") if not path.parent.name.startswith("."))
        folder = path.parent if path.is_file() else path
        if (folder / FILE).exists() or not inside:
            inside = [folder]
        result += inside
    return result


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write an artifact into a folder of this process' own."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
