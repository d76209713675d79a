"""Which bundles a board lets in: the rules of The Update Framework that fit one signed file.

Signed by enough of the signers; for this fleet; not expired at one fixed time; serials never fall, and rise by a step;
nothing that was tried here and left; nothing that this board cannot run.
"""

from __future__ import annotations

import sys
from hashlib import sha256

from . import versions
from .errors import UpdateError
from .manifest import UPDATER, loads, moment
from .trust import BUNDLES, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .archive import Reader
    from .manifest import Manifest
    from .trust import Trust
    from .versions import Standing

DAY = 86400.0
LARGEST_LEAP = 10_000
"""Serials rise by at most this at once, so that one forged serial cannot use up all that are left."""


def admitted(reader: Reader, trust: Trust | None, standing: Standing, now: float) -> tuple[Manifest, str]:
    """Everything that can be known before a file is unpacked.

    Parameters
    ----------
    reader : Reader
    trust : Trust or None
        None: whoever runs this answers for the bundle.
    standing : Standing
    now : float
        Seconds since 1970.

    Returns
    -------
    manifest : Manifest
    version : str

    Raises
    ------
    UpdateError
        Why the bundle is refused.
    """
    if trust is not None:
        verify(trust, reader.manifest, reader.signatures, BUNDLES, now, "the bundle")
    manifest = loads(reader.manifest)
    version = versions.version_of(manifest, reader.manifest)
    if trust is not None:
        _fits(manifest, sha256(reader.manifest).hexdigest(), trust, standing, now)
        bad = next((why for key, why in standing.bad.items() if key.startswith(version)), "")
        if bad:
            raise UpdateError(f"version {version} was tried here and left: {bad}")
    if manifest.updater > UPDATER or manifest.python > sys.version_info[:2]:
        wanted = ".".join(map(str, manifest.python))
        raise UpdateError(f"it needs Python {wanted} and updater {manifest.updater}; here are "
                          f"{sys.version_info[0]}.{sys.version_info[1]} and {UPDATER}")  # fmt: skip
    if not any(name.startswith("edge_lasso_runtime/") for name, _, _ in manifest.files):
        from .sections import section_module

        unknown = [name for name in manifest.sections if section_module(name) is None]
        if unknown:
            raise UpdateError(f"it needs a runtime that knows {', '.join(unknown)[:80]}; update the runtime first")
    return manifest, version


def _fits(manifest: Manifest, digest: str, trust: Trust, standing: Standing, now: float) -> None:
    """Refuse what is for others, too late, too early, or not the next."""
    if manifest.fleet != trust.fleet:
        raise UpdateError(f"the bundle is for {manifest.fleet!r}; this board is of {trust.fleet!r}")
    if manifest.created > now + DAY:
        raise UpdateError(f"it was signed at {moment(manifest.created)}, and now is {moment(now)}; is the clock right?")
    if manifest.expires <= max(now, standing.created):
        raise UpdateError(f"it expired at {moment(manifest.expires)}; does somebody hold newer ones back?")
    if manifest.serial < standing.serial:
        raise UpdateError(
            f"its serial is {manifest.serial}; this board has seen {standing.serial}, and serials never fall"
        )
    if manifest.serial == standing.serial and digest != standing.digest and standing.digest:
        raise UpdateError(f"it is another bundle with the serial {manifest.serial}; a new one needs a higher serial")
    if manifest.serial > standing.serial + LARGEST_LEAP and standing.serial:
        raise UpdateError(
            f"its serial is {manifest.serial}, this board is at {standing.serial}; it rises by {LARGEST_LEAP} at most"
        )


def share(trust: Trust) -> int:
    """Where a board stands in a roll-out: 0 to 9999, always the same."""
    return int(sha256(f"{trust.fleet}\n{trust.board}".encode()).hexdigest()[:12], 16) % 10_000
