"""The user's cache: helpers compiled on first use and unpacked systems."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from .build import FLAGS, build, find_compiler
from .errors import BoardError
from .folders import cache_folder
from .processes import execute

TIMEOUT = 120


def compiled(source: Path, flags: Sequence[str], missing: str) -> str:
    """The path of a helper compiled from a C source, made on first use and kept under the hash of the source."""
    digest = hashlib.sha256(source.read_bytes() + repr(tuple(flags)).encode()).hexdigest()[:16]
    folder = cache_folder()
    path = folder / f"{source.stem}-{digest}"
    if path.is_file():
        return str(path)
    compiler = find_compiler()
    if compiler is None:
        raise BoardError(missing)
    with tempfile.TemporaryDirectory(prefix="making-", dir=folder) as away:
        helper = Path(away, "helper")
        done = execute([*compiler, "-O2", "-o", str(helper), str(source), *flags], timeout=TIMEOUT)
        if done.returncode != 0:
            first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:200])
            raise BoardError(f"{missing} ({first.strip()})")
        helper.replace(path)
    return str(path)


def library(files: Mapping[str, bytes]) -> str:
    """The path of C sources compiled to a shared library for this machine, made on first use and kept under their hash.

    Raises
    ------
    BoardError
        There is no compiler, or it refuses the sources.
    """
    about = repr((sorted(files.items()), FLAGS, platform.system(), platform.machine()))
    digest = hashlib.sha256(about.encode()).hexdigest()[:16]
    stem = next(Path(name).stem for name in files if name.endswith(".c"))
    folder = cache_folder()
    path = folder / f"{stem}-{digest}.so"
    if not path.is_file():
        [built] = build(files).values()
        with tempfile.TemporaryDirectory(prefix="making-", dir=folder) as away:
            temporary = Path(away, "library")
            temporary.write_bytes(built)
            temporary.replace(path)
    return str(path)
