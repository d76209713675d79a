"""What is not finished: names of files aside, folders locked while names change, sets being moved, leftovers cleared.

Used by `atomic`, which says how it all works.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]

from .switch import SWITCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

START, END = ".edge-lasso.", ".new"
"""How names of what is not finished begin and end; between them stand 32 hexadecimal digits."""
NAMES, NEW, OLD = "names.json", "new", "old"
LEVELS = 4
"""How many folders up the set of a file may be switched: an artifact's files are in a folder of their own."""
DAY = 86400.0


def settle(path: Any) -> None:
    """Finish what an interrupted run had switched to, before a file is read: its set is then all new.

    Parameters
    ----------
    path : str or os.PathLike
        A file or folder; its folder and those above are looked at.

    Raises
    ------
    OSError
        It cannot be finished: the folder is another user's, or cannot be written to.
    """
    folder = os.path.abspath(os.fspath(path))
    for _ in range(LEVELS):
        folder = os.path.dirname(folder)
        if os.path.lexists(os.path.join(folder, SWITCH)):
            with locked_folder(folder):
                finish(folder)


def sync_folder(folder: str) -> None:
    """Force the names in a folder to the disk, where a folder can be opened."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that do not know it for folders
                raise
        finally:
            os.close(descriptor)


@contextmanager
def locked_folder(folder: str) -> Iterator[None]:
    """Nobody else changes names in a folder meanwhile; in one that cannot be locked (NFS, Windows), hope for it."""
    descriptor = opened(folder)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def opened(folder: str) -> int | None:
    """A locked folder's descriptor, which unlocks it when it is closed; None where folders are not opened."""
    if os.name != "posix":
        return None
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    lock(descriptor)
    return descriptor


def lock(descriptor: int) -> None:
    """Wait for a descriptor's lock, where there are locks."""
    if fcntl is not None:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def name_aside(folder: str) -> str:
    """A path in a folder that nobody can guess."""
    return os.path.join(folder, f"{START}{os.urandom(16).hex()}{END}")


def is_aside(path: Any) -> bool:
    """Whether a path is one that `name_aside` gives."""
    name = os.path.basename(str(path))
    digits = name[len(START) : -len(END)]
    return name.startswith(START) and name.endswith(END) and len(digits) == 32 and not digits.strip("0123456789abcdef")


def checked(name: str) -> str:
    """A name below a folder, or OSError."""
    if not name or any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or "\0" in name:
        raise OSError(errno.EINVAL, "is no name below the folder", str(name))
    return name


def finish(folder: str) -> None:
    """Move what a set has that is switched to; the folder is locked."""
    switch = os.path.join(folder, SWITCH)
    if not os.path.lexists(switch):
        return
    _check_owner(switch, folder)
    import json

    with suppress(FileNotFoundError):  # all was moved, and the rest was being removed
        with open(os.path.join(switch, NAMES), encoding="utf-8") as file:
            names = json.load(file)
        changed = {folder}
        for i, name in enumerate(names):
            source = os.path.join(switch, NEW, *checked(name).split("/"))
            if not os.path.lexists(source):
                continue  # moved before the interruption
            target = os.path.join(folder, *name.split("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if os.path.lexists(target) and (_is_folder(source) or _is_folder(target)):
                os.makedirs(os.path.join(switch, OLD), exist_ok=True)
                os.rename(target, os.path.join(switch, OLD, str(i)))
            os.replace(source, target)
            parts = name.split("/")[:-1]
            changed |= {os.path.join(folder, *parts[:depth]) for depth in range(1, len(parts) + 1)}
        for each in sorted(changed):
            sync_folder(each)
    with suppress(OSError):  # nothing depends on it any more
        remove(switch)


def _check_owner(switch: str, folder: str) -> None:
    """Only the reader, or who owns the folder, may have left a set there: in a shared folder it could be anybody's."""
    about = os.lstat(switch)
    if os.name == "posix" and (
        not os.path.isdir(switch)
        or os.path.islink(switch)
        or about.st_uid not in (os.geteuid(), os.lstat(folder).st_uid)
    ):
        raise OSError(errno.EPERM, "was left by another user; remove it, or let that user's edge-lasso finish", switch)


def tidy(folder: str) -> None:
    """Finish a set that is switched to, and remove what dead runs left; the folder is locked."""
    finish(folder)
    with os.scandir(folder) as entries:
        left = [entry.path for entry in entries if is_aside(entry.name)]
    for path in left:
        with suppress(OSError):
            about = os.lstat(path)
            if os.name != "posix" or fcntl is None:
                import time

                if time.time() - about.st_mtime > DAY:
                    remove(path)
            elif about.st_uid == os.geteuid():
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(path)
                finally:
                    os.close(descriptor)


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def remove(path: str) -> None:
    """Remove a file, or a folder with what is in it; links are not followed."""
    if not _is_folder(path):
        return os.unlink(path)
    with os.scandir(path) as entries:
        inside = [entry.path for entry in entries]
    for each in inside:
        remove(each)
    os.rmdir(path)
