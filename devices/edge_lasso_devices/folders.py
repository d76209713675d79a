"""The folders that things go to: the user's cache, and names that stay inside a folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from .errors import BoardError


def cache_folder() -> Path:
    """Where they are kept: ``EDGE_LASSO_CACHE``, or ``edge-lasso`` among the user's caches."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("EDGE_LASSO_CACHE") or Path(base, "edge-lasso"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BoardError(f"cannot make {folder}: {error.strerror}; set EDGE_LASSO_CACHE") from None
    return folder


def relative(name: str, folder: str = "working folder") -> PurePosixPath:
    """A file's name as a path inside a folder; BoardError, naming that, when it would leave it."""
    path = PurePosixPath(name)
    if not name or "\0" in name or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise BoardError(f"file name {name!r} leaves the {folder}; use a relative path without '..'")
    return path
