"""Lines of a file or pipe as they come, in batches: as many as are there, and never a wait while some are.

`csv` and text files wait for a full buffer or hand out a line at a time; a stream that is slow today and fast tomorrow
needs both.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHUNK = 1 << 16
LONGEST = 1 << 20
SENDERS = 64
"""Connections to a listening socket at once."""


class Lines:
    """Complete lines of a descriptor.

    Parameters
    ----------
    descriptor : int
    wake : int or None
        Another descriptor, which ends a wait when something can be read from it (`signal.set_wakeup_fd`).

    Attributes
    ----------
    rest : bytes
        The beginning of a line whose end has not come.
    lost : int
        Lines longer than `LONGEST`, which are left out.
    """

    def __init__(self, descriptor: int, wake: int | None = None) -> None:
        self._descriptor = descriptor
        self._wake = wake
        self._skipping = False
        self.rest = b""
        self.lost = 0

    def read(self, timeout: float | None = None) -> list[bytes] | None:
        """Wait for lines.

        Returns
        -------
        list of bytes or None
            Lines without their ends; empty when none came in `timeout` seconds or the wait was ended; None at the end.
        """
        if os.name == "posix":
            from select import select

            waiting: list[Any] = [self._descriptor]
            if self._wake is not None:
                waiting.append(self._wake)
            ready, _, _ = select(waiting, [], [], timeout)
            if self._descriptor not in ready:
                return []
        return self.take(os.read(self._descriptor, CHUNK))

    def take(self, chunk: bytes) -> list[bytes] | None:
        """The lines that a piece completes; None for none, which is the end."""
        if not chunk:
            return None
        lines = (self.rest + chunk).split(b"\n")
        self.rest = lines.pop()
        if self._skipping:
            self._skipping = not lines
            if lines:
                del lines[0]
            else:
                self.rest = b""
        if len(self.rest) > LONGEST:
            self.rest = b""
            self.lost += not self._skipping
            self._skipping = True
        return lines


class Senders:
    """Complete lines of all that connect to a listening socket; there is no end.

    Parameters
    ----------
    listener : int
        Its descriptor.
    wake : int or None
        See `Lines`.

    Attributes
    ----------
    rest : bytes
        Empty: half a line of one that has gone is left out.
    lost : int
        See `Lines`.
    """

    def __init__(self, listener: int, wake: int | None = None) -> None:
        from socket import socket

        self._listener = socket(fileno=os.dup(listener))
        self._listener.setblocking(False)
        self._wake = wake
        self._senders: dict[Any, Lines] = {}
        self.rest = b""
        self.lost = 0

    def read(self, timeout: float | None = None) -> list[bytes]:
        """Wait for lines of any sender; empty when none came in `timeout` seconds or the wait was ended."""
        from select import select

        waiting: list[Any] = [*self._senders, *([] if self._wake is None else [self._wake])]
        waiting += [self._listener] if len(self._senders) < SENDERS else []  # one more waits until another leaves
        ready, _, _ = select(waiting, [], [], timeout)
        result: list[bytes] = []
        for entry in ready:
            try:
                if entry is self._listener:
                    self._senders[entry.accept()[0]] = Lines(-1)
                elif entry in self._senders:
                    result += self._received(entry)
            except OSError:
                self._leave(entry)
        return result

    def _received(self, sender: Any) -> list[bytes]:
        before = self._senders[sender]
        lost, lines = before.lost, before.take(sender.recv(CHUNK))
        self.lost += before.lost - lost
        if lines is None:
            lines = [before.rest] if before.rest else []  # a last line needs no end
            self._leave(sender)
        return lines

    def _leave(self, sender: Any) -> None:
        if self._senders.pop(sender, None) is not None:
            sender.close()


def lines_of(descriptor: int, wake: int | None) -> Lines | Senders:
    """Lines of a file, a pipe or a connection; of a listening socket those of all that connect to it."""
    from stat import S_ISSOCK

    if os.name == "posix" and S_ISSOCK(os.fstat(descriptor).st_mode):
        from socket import SO_ACCEPTCONN, SOL_SOCKET, socket

        with socket(fileno=os.dup(descriptor)) as opened:
            if opened.getsockopt(SOL_SOCKET, SO_ACCEPTCONN):
                return Senders(descriptor, wake)
    return Lines(descriptor, wake)
