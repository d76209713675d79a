"""Who may write: a lock that names its holder, and that the system lets go of however the holder ends."""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class LockedError(OSError):
    """Another process holds the lock; the message says which."""


def hold(path: str, wait: float = 0.0) -> int | None:
    """Take a lock, and keep it until the descriptor that is returned is closed or the process ends, however it ends.

    Parameters
    ----------
    path : str
        The lock's file; it stays, and names its last holder.
    wait : float
        Seconds to wait for another holder.

    Raises
    ------
    LockedError
        Another process holds it; the message says which.
    """
    try:
        import fcntl
    except ImportError:
        return None
    from time import monotonic, sleep

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    until = monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if monotonic() < until:
                sleep(0.05)
                continue
            holder = os.pread(descriptor, 40, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockedError(f"{path} is held by {holder or 'another process'}; try again later") from None
        except BaseException:
            os.close(descriptor)
            raise
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}\n".encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked(path: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock while a block runs; see `hold`."""
    descriptor = hold(path, wait)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
