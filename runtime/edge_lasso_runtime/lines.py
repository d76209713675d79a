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
        chunk = os.read(self._descriptor, CHUNK)
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
