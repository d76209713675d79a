"""Files that are whole at every moment: written aside, forced to the disk, then renamed; and who may write them.

What a platform lacks is left out: without folders that can be opened (Windows) a rename is not forced to the disk,
without ``fcntl`` nothing is locked.
"""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class LockedError(OSError):
    """Another process holds the lock; the message says which."""


@contextmanager
def replacing(path: Any, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it takes its name when the block ends, and is removed when the block fails.

    Parameters
    ----------
    path : path
        The folder must exist.
    mode : int
        Before the umask.

    Raises
    ------
    OSError
        The folder is not writable or the disk is full; the old file, if any, is untouched.
    """
    path = os.fspath(path)
    folder, name = os.path.split(path)
    aside = os.path.join(folder, f".{name}.{os.urandom(8).hex()}.tmp")
    try:
        with os.fdopen(os.open(aside, NEW_FILE, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        if os.path.lexists(aside):
            os.remove(aside)
        raise
    sync_folder(folder or ".")


def write_new(path: str, chunks: Iterator[bytes], mode: int = 0o644) -> None:
    """Write a file that is not there yet, and force it to the disk."""
    with os.fdopen(os.open(path, NEW_FILE, mode), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def point(link: str, target: str) -> None:
    """Make a link name a target, at once: there is no moment without it."""
    aside = f"{link}.{os.urandom(8).hex()}.tmp"
    os.symlink(target, aside)
    try:
        os.replace(aside, link)
    except BaseException:
        os.remove(aside)
        raise
    sync_folder(os.path.dirname(link) or ".")


def sync_folder(path: str) -> None:
    """Force a folder's names to the disk."""
    if os.name != "posix":
        return
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(path: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock while a block runs; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    path : str
        The lock's file; it stays, and names its last holder.
    wait : float
        Seconds to wait for another holder.

    Raises
    ------
    LockedError
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    from time import monotonic, sleep

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        until = monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if monotonic() >= until:
                    holder = os.pread(descriptor, 40, 0).decode("ascii", "replace").strip()
                    raise LockedError(f"{path} is held by {holder or 'another process'}; try again later") from None
                sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
