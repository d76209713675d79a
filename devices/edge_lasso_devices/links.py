"""Links by name: ``local``, ``micropython``, ``serial:PORT``, ``ssh://...`` and ``qemu:ARCHITECTURE``."""

from __future__ import annotations

import difflib

from .errors import BoardError
from .shells import LocalShell, MicroPythonShell, SerialShell, Shell

LINKS = ("local", "ssh://user@host[:port][/folder]", "qemu:arm64", "qemu:armel", "micropython", "serial:/dev/ttyACM0")


def open_link(spec: str) -> Shell:
    """Open a link to the place where commands shall run.

    Parameters
    ----------
    spec : str
        ``local``, ``ssh://user@host[:port][/folder]``, ``qemu:arm64``, ``qemu:armel``, ``micropython`` or
        ``serial:/dev/ttyACM0``.

    Raises
    ------
    BoardError
        The link is unknown (the nearest is named) or cannot be opened.
    """
    if spec == "local":
        return LocalShell()
    if spec == "micropython":
        return MicroPythonShell()
    if spec.startswith("serial:"):
        return SerialShell(spec.removeprefix("serial:"))
    if spec.startswith("ssh://"):
        from .ssh import SshShell

        return SshShell(spec)
    if spec.startswith("qemu:"):
        from .qemu import QemuShell, architectures

        if spec.removeprefix("qemu:") in architectures():
            return QemuShell(spec.removeprefix("qemu:"))
    nearest = difflib.get_close_matches(spec, [link.partition("://")[0] for link in LINKS], 1, 0.5)
    hint = f"; did you mean '{nearest[0]}'?" if nearest else ""
    raise BoardError(f"link '{spec}' is unknown{hint}; there are {', '.join(LINKS)}")
