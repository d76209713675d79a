"""What systemd is told (sd_notify(3)): ready, still alive, stopping; nothing where nobody listens."""

from __future__ import annotations

import os
from time import monotonic


def notify(text: str) -> None:
    """Send a datagram to ``$NOTIFY_SOCKET``; one that cannot be sent is no reason to stop working."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(text.encode(), f"\0{path[1:]}" if path.startswith("@") else path)
        except OSError:
            return


class Watchdog:
    """Tells systemd in time that the process is alive (``WatchdogSec=``)."""

    def __init__(self) -> None:
        period = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._every = int(period) / 2e6 if period.isdigit() and mine else 0.0
        self._due = monotonic() + self._every

    def wait(self) -> float | None:
        """Seconds until it is told next; None when nobody asks."""
        return max(self._due - monotonic(), 0.0) if self._every else None

    def beat(self) -> None:
        """Tell it when it is time."""
        if self._every and monotonic() >= self._due:
            notify("WATCHDOG=1")
            self._due = monotonic() + self._every
