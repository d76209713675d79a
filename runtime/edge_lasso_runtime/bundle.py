"""One-file bundles (``model.pyz``): a zip archive of this package and a model, read without unpacking it."""

from __future__ import annotations

from .checks import sha256
from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENDING = ".pyz"
LARGEST = 64 * 2**20
MODEL, VECTORS = "model.json", "selftest.json"


def member(path: Any, name: str) -> bytes:
    """The content of a file in a bundle.

    Raises
    ------
    ModelFormatError
        It is no bundle, or has no such file.
    OSError
        There is no file at `path`.
    """
    import os
    from zipimport import ZipImportError, zipimporter

    try:
        from zlib import error as error_of_zlib
    except ImportError:  # a Python without it reads no bundles
        error_of_zlib = ValueError  # type: ignore[misc, assignment]
    path = os.fspath(path)
    with open(path, "rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST or sha256(data[:-64]).encode() != data[-64:]:
        text = f"{os.path.basename(path)} is damaged, or no bundle of edge-lasso; export it again, or copy it again"
        raise ModelFormatError(text)
    try:
        return zipimporter(path).get_data(os.path.join(path, name))
    except (ZipImportError, OSError, EOFError, LookupError, MemoryError, TypeError, ValueError, error_of_zlib) as error:
        text = f"{os.path.basename(path)} is not a bundle of edge-lasso ({error}); export it again"
        raise ModelFormatError(text) from None
