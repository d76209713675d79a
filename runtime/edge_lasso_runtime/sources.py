"""Where bundles come from: a folder or file, a web address, a machine reached by ssh; read once, from front to end."""

from __future__ import annotations

import os
from contextlib import contextmanager

from .errors import UpdateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

ENDING = ".elb"
PATIENCE = 20.0
"""Seconds without a byte after which a server is given up."""
SSH_OPTIONS = ("-o", "BatchMode=yes", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=5",
               "-o", "ServerAliveCountMax=3", "-o", "ClearAllForwardings=yes")  # fmt: skip


def bundles(source: str) -> list[str]:
    """Addresses of the bundles that a source offers.

    Raises
    ------
    UpdateError
        There is none.
    """
    if _is_remote(source):
        return [source]
    if not os.path.isdir(source):
        return [source]
    names = sorted(name for name in os.listdir(source) if name.endswith(ENDING) and not name.startswith("."))
    if not names:
        raise UpdateError(f"{source} has no bundle (*{ENDING}); edge-lasso bundle writes one")
    return [os.path.join(source, name) for name in names]


def beside(source: str, name: str) -> str:
    """The address of another file of a source."""
    if _is_remote(source):
        return f"{source.rpartition('/')[0]}/{name}"
    return os.path.join(source if os.path.isdir(source) else os.path.dirname(source), name)


@contextmanager
def opened(address: str) -> Iterator[Callable[[int], bytes]]:
    """Open a file of a source: yields a function that reads up to so many bytes.

    Raises
    ------
    FileNotFoundError
        It is not there.
    UpdateError
        It cannot be reached, or is no file.
    """
    if address.startswith("ssh://"):
        with _over_ssh(address) as read:
            yield read
    elif _is_remote(address):
        with _over_http(address) as read:
            yield read
    else:
        with _local(address) as read:
            yield read


def read_small(address: str, most: int) -> bytes | None:
    """A small file of a source; None where it is not there."""
    try:
        with opened(address) as read:
            data = b""
            while True:
                piece = read(most + 1 - len(data))
                data += piece
                if len(data) > most:
                    raise UpdateError(f"{address} has more than {most} bytes")
                if not piece:
                    return data
    except FileNotFoundError:
        return None


@contextmanager
def within(limit: float) -> Iterator[None]:
    """End a block that takes longer than so many seconds, whatever it waits for (main thread, POSIX)."""
    import signal
    from threading import current_thread, main_thread

    if not hasattr(signal, "setitimer") or current_thread() is not main_thread():
        yield
        return

    def late(number: int, frame: Any) -> None:
        raise UpdateError(f"the source took longer than {limit:g} s; it was given up")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _is_remote(source: str) -> bool:
    scheme = source.partition("://")[0] if "://" in source else ""
    if scheme and scheme not in ("http", "https", "ssh"):
        raise UpdateError(f"--from {source[:80]!r}: {scheme} is not known; it is a folder, a file, https:// or ssh://")
    return bool(scheme)


@contextmanager
def _local(path: str) -> Iterator[Callable[[int], bytes]]:
    from stat import S_ISREG

    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise UpdateError(f"{path} is not a file")
        yield lambda size: os.read(descriptor, size)
    finally:
        os.close(descriptor)


@contextmanager
def _over_http(address: str) -> Iterator[Callable[[int], bytes]]:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import urlopen

    try:
        with urlopen(address, timeout=PATIENCE) as response:  # follows redirects to http and https alone
            yield response.read1
    except HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError(2, "not found", address) from None
        raise UpdateError(f"{address}: the server says {error.code} {error.reason}") from None
    except URLError as error:
        raise UpdateError(f"{address} cannot be reached: {error.reason}") from None
    except (HTTPException, TimeoutError, ConnectionError, ValueError) as error:
        raise UpdateError(f"{address} cannot be read: {error or type(error).__name__}") from None


@contextmanager
def _over_ssh(address: str) -> Iterator[Callable[[int], bytes]]:
    import shlex
    import subprocess
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # brackets, or a port, that are none
        parts, host, port = urlsplit(""), "", None
    user = parts.username or ""
    if not host or host.startswith("-") or user.startswith("-") or parts.password or parts.path in ("", "/"):
        raise UpdateError(f"--from {address[:80]!r} is not of the form ssh://user@host[:port]/path/bundle{ENDING}")
    options = [
        *SSH_OPTIONS,
        *shlex.split(os.environ.get("EDGE_LASSO_SSH_OPTIONS", "")),
        *(["-p", str(port)] if port else []),
    ]
    path = shlex.quote(parts.path)
    script = f"test -f {path} || exit 44; exec cat {path}"
    command = ["ssh", *options, "--", f"{user}@{host}" if user else host, script]
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise UpdateError("no ssh here; install Debian's openssh-client") from None
    assert child.stdout is not None
    assert child.stderr is not None
    out = child.stdout.fileno()
    ended = False

    def read(size: int) -> bytes:
        nonlocal ended
        piece = os.read(out, size)
        if not piece and not ended:
            ended = True
            code = child.wait()
            if code == 44:
                raise FileNotFoundError(2, "not found", address)
            if code:
                lines = child.stderr.read(1 << 16).decode("utf-8", "replace").split("\n") if child.stderr else []
                said = [line.strip() for line in lines if line.strip()]  # the last says why, after pages of warning
                raise UpdateError(f"{address} cannot be read: {said[-1] if said else f'ssh ended with {code}'}")
        return piece

    try:
        yield read
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()
