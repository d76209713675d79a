"""Who may write: a lock that names its holder, and that the system lets go of however the holder ends."""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class LockedError(OSError):
    """Another process holds the lock; the message says which."""


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
