"""A board's folder: who holds it, whom it believes, where it stands."""

from __future__ import annotations

import os
from contextlib import contextmanager

from . import versions
from .atomic import replacing
from .errors import UpdateError
from .locks import LockedError, locked
from .manifest import moment
from .trust import FILE, dumps
from .trust import load as load_trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .trust import Trust


def status(home: str, now: float) -> dict[str, Any]:
    """Where a board stands: what `status --json` prints.

    Raises
    ------
    UpdateError
        The version in use is damaged.
    """
    trust = load_trust(home) if os.path.lexists(os.path.join(home, FILE)) else None
    standing = versions.read_standing(home)
    used = versions.current(home)
    if not used and trust is None:
        raise UpdateError(f"{home}: nothing is there, and nobody is believed")
    manifest = versions.check(home, used) if used else None
    return {
        "fleet": trust.fleet if trust else None,
        "board": trust.board if trust else None,
        "signers": sorted({line.split()[0] for line in trust.signers}) if trust else [],
        "signers_version": trust.version if trust else None,
        "version": used or None,
        "model_hash": manifest.model_hash if manifest else None,
        "serial": manifest.serial if manifest else None,
        "expires": moment(manifest.expires) if manifest else None,
        "expired": bool(trust and manifest and manifest.expires <= now),
        "largest_serial": standing.serial,
        "previous": standing.previous or None,
        "trial": bool(standing.trial),
        "bad": standing.bad,
        "history": standing.history,
    }


def enroll(home: str, trust: Trust) -> None:
    """Say whom a board believes, for the first time.

    Raises
    ------
    UpdateError
        It has been said: signers are replaced by a file that the old ones have signed.
    """
    os.makedirs(home, 0o755, exist_ok=True)
    with held(home):
        if os.path.lexists(os.path.join(home, FILE)):
            raise UpdateError(f"{home} believes somebody already; new signers come with the bundles, signed by the old")
        write_trust(home, trust)


def write_trust(home: str, trust: Trust) -> None:
    """Put `trust.json` in its place."""
    with replacing(os.path.join(home, FILE), 0o644) as file:
        file.write(dumps(trust))


@contextmanager
def held(home: str, wait: float = 0.0) -> Iterator[None]:
    """The lock of a board's folder."""
    if not os.path.isdir(home):
        raise UpdateError(f"{home} is no folder; enroll the board first: update --enroll FLEET --signers FILE")
    try:
        with locked(os.path.join(home, versions.LOCK), wait):
            yield
    except LockedError as error:
        raise UpdateError(f"another update is running: {error}") from None
