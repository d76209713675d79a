"""``python -m edge_lasso_runtime update``: another version on this board, or none of it.

Verified before anything is unpacked; unpacked beside; tried by its own self-test; taken over rows that have been
(`shadow`); switched to at once; watched; and left again when it leaves its limits. Whatever ends this process,
whenever: the link `current` names one whole version, and the next run goes on from there.
"""

from __future__ import annotations

import os
from hashlib import sha256

from . import versions
from .admission import DAY, admitted, share
from .archive import Reader
from .artifact import FILE as ARTIFACT
from .board import held, write_trust
from .errors import UpdateError
from .manifest import loads, moment
from .model import Record
from .shadow import beyond
from .sources import beside, bundles, opened, read_small, within
from .trial import Trial, judged, restart, run_in
from .trust import load as load_trust
from .trust import replaced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .manifest import Manifest
    from .trust import Trust
    from .versions import Standing

MOST_ROTATIONS = 100


class Outcome(Record):
    """What an update came to.

    Parameters
    ----------
    version : str
        In use now; empty when there is none.
    changed : bool
    text : str
        What happened, in one line.
    notes : list of str
        Bundles that were left out, and why.
    """

    __slots__ = ("changed", "notes", "text", "version")

    def __init__(self, version: str, changed: bool, text: str, notes: list[str] | None = None) -> None:
        self.version = version
        self.changed = changed
        self.text = text
        self.notes = notes or []


def update(
    home: str,
    source: str,
    now: float,
    trial: Trial,
    keep: int = 3,
    limit: float = 600.0,
    unsigned: bool = False,
    wait: float = 0.0,
) -> Outcome:
    """Bring a board to the newest version that its signers offer it.

    Parameters
    ----------
    home : str
        The board's folder.
    source : str
        A folder, a file, ``http(s)://`` or ``ssh://``.
    now : float
        Seconds since 1970: one time for all that is checked.
    trial : Trial
        How a version is tried.
    keep : int
        Versions that stay on the disk.
    limit : float
        Seconds for reading the source.
    unsigned : bool
        Whoever runs this answers for the bundle: no signature is asked for, and serials stay as they are.
    wait : float
        Seconds to wait for another update to end.

    Raises
    ------
    UpdateError
        Refused, or gone back; the version in use is the one from before.
    OSError
    """
    if unsigned:
        os.makedirs(home, 0o755, exist_ok=True)
    with held(home, wait):
        standing = versions.read_standing(home)
        used = versions.current(home)
        versions.clear(home, keep, used, standing.previous)
        standing = _settled(home, standing, trial, now)
        used = versions.current(home)
        trust: Trust | None = None
        if not unsigned:
            trust, standing = _rotated(home, source, standing, now, limit)
        if now < standing.created - DAY and not unsigned:
            raise UpdateError(
                f"the clock says {moment(now)}, but this board has seen what was signed at {moment(standing.created)}; "
                "set the clock, then try again"
            )
        notes: list[str] = []
        for address in _newest_first(source, limit):
            try:
                return _take(home, address, trust, standing, used, now, trial, keep, limit, notes)
            except _Passed as error:
                notes.append(f"{os.path.basename(address)}: {error}")
        if len(notes) == 1:
            raise UpdateError(notes[0])
        raise UpdateError(f"none of {len(notes)} bundles can be used: {notes[0]}")


class _Passed(UpdateError):
    """A bundle that is refused; another of the same source may still be good."""


def _take(
    home: str,
    address: str,
    trust: Trust | None,
    standing: Standing,
    used: str,
    now: float,
    trial: Trial,
    keep: int,
    limit: float,
    notes: list[str],
) -> Outcome:
    with within(limit):
        try:
            with opened(address) as read:
                reader = Reader(read)
                manifest, version = admitted(reader, trust, standing, now)
                if _same(home, used, reader.manifest):
                    return Outcome(used, False, f"version {used} is there already", notes)
                if trust is not None and share(trust) >= manifest.rollout:
                    part = f"{manifest.rollout / 100:g}% of the boards"
                    return Outcome(used, False, f"serial {manifest.serial} goes to {part}, not to this one yet", notes)
                staging = versions.unpack(home, reader, manifest)
        except FileNotFoundError:
            raise _Passed("it is not there") from None
        except UpdateError as error:
            raise _Passed(str(error)) from None
    try:
        for subject in _self_tests(manifest):
            run_in(versions.folder_of(home, staging), ["selftest", subject], "the self-test failed")
        _in_shadow(home, staging, used, manifest, trial)
        version = versions.name_staged(home, staging, version)
    except BaseException:
        versions.remove(home, staging)
        raise
    # The serial first: cut between the two, the same bundle is taken again.
    if trust is not None:
        standing = standing.replace(
            serial=manifest.serial,
            digest=sha256(reader.manifest).hexdigest(),
            created=max(standing.created, manifest.created),
        )
    standing = standing.replace(
        previous=used if used else standing.previous,
        trial=version,
        history=standing.tell(now, f"switching to {version}"),
    )
    versions.write_standing(home, standing)
    versions.switch(home, version)
    standing = _settled(home, standing, trial, now)
    if version in standing.bad:
        raise UpdateError(
            f"went back from {version} to {standing.previous or used or 'nothing'}: {standing.bad[version]}"
        )
    versions.clear(home, keep, version, standing.previous)
    return Outcome(version, True, _said(version, trial), notes)


def _said(version: str, trial: Trial) -> str:
    """*In use* is said when the running process has answered."""
    return f"version {version} is in {'use' if trial.metrics else 'place; no running process was asked'}"


def _same(home: str, used: str, data: bytes) -> bool:
    """Whether the version in use is this one, and whole."""
    if not used:
        return False
    try:
        if versions.read_version(home, used)[1] != data:
            return False
        versions.check(home, used)
    except UpdateError:
        return False
    return True


def _self_tests(manifest: Manifest) -> list[str]:
    """What tests itself on a board: the model, and artifacts that need nothing but Python."""
    artifacts = [name.rpartition("/")[0] for name, _, _ in manifest.files if name.endswith(f"/{ARTIFACT}")]
    return ["model.json", *(folder for folder in artifacts if folder.rpartition("/")[2].startswith("python-"))]


def _in_shadow(home: str, staging: str, used: str, manifest: Manifest, trial: Trial) -> None:
    if not trial.rows:
        return
    new = trial.shadow(versions.folder_of(home, staging))
    old = trial.shadow(versions.folder_of(home, used)) if used else None
    faults = beyond(new, old, manifest.limits)
    if faults:
        raise UpdateError(f"serial {manifest.serial} is not used, in the shadow of the old one: {'; '.join(faults)}")


def _settled(home: str, standing: Standing, trial: Trial, now: float) -> Standing:
    """Bring a trial to its end, this run's or one that was cut: stay, or go back."""
    version = standing.trial
    if not version:
        return standing
    if versions.current(home) != version:  # cut before the switch
        standing = standing.replace(trial="")
        versions.write_standing(home, standing)
        return standing
    manifest = versions.check(home, version)
    why = judged(versions.folder_of(home, version), manifest, trial)
    if not why:
        standing = standing.replace(trial="", history=standing.tell(now, f"{version} stays"))
        versions.write_standing(home, standing)
        return standing
    back = standing.previous
    if back:
        versions.check(home, back)
        versions.switch(home, back)
    standing = standing.replace(
        trial="", bad={**standing.bad, version: why}, history=standing.tell(now, f"back to {back or 'nothing'}: {why}")
    )
    versions.write_standing(home, standing)
    if back:
        restart(trial)
    return standing


def _rotated(home: str, source: str, standing: Standing, now: float, limit: float) -> tuple[Trust, Standing]:
    """Take over new signers that the source offers, one version after another."""
    trust = load_trust(home)
    for _ in range(MOST_ROTATIONS):
        address = beside(source, f"signers.{trust.version + 1}.json")
        with within(limit):
            data = read_small(address, 1 << 20)
            signatures = read_small(f"{address}.sig", 1 << 16) if data is not None else None
        if data is None:
            break
        trust, serial = replaced(trust, data, signatures or b"", now)
        if serial is not None:
            standing = standing.replace(serial=serial, digest="")
        standing = standing.replace(history=standing.tell(now, f"signers are version {trust.version}"))
        versions.write_standing(home, standing)
        write_trust(home, trust)
    return trust, standing


def _newest_first(source: str, limit: float) -> list[str]:
    """A source's bundles by the serial that each claims; what claims is verified later."""
    addresses = bundles(source)
    if len(addresses) == 1:
        return addresses
    claims = []
    for address in addresses:
        try:
            with within(limit), opened(address) as read:
                claims.append((loads(Reader(read).manifest).serial, address))
        except (UpdateError, OSError):
            claims.append((0, address))
    return [address for _, address in sorted(claims, reverse=True)]


def rollback(home: str, now: float, trial: Trial, wait: float = 0.0) -> Outcome:
    """Switch to the version before, which is read again first; a second rollback switches forth.

    Raises
    ------
    UpdateError
    """
    with held(home, wait):
        standing = versions.read_standing(home)
        used = versions.current(home)
        back = standing.previous
        if not back or back == used:
            raise UpdateError(f"{home}: no earlier version is kept there")
        versions.check(home, back)
        bad = {key: why for key, why in standing.bad.items() if key != back}
        standing = standing.replace(
            previous=used, trial="", bad={**bad, used: "rolled back by hand"},
            history=standing.tell(now, f"rolled back from {used} to {back}"),
        )  # fmt: skip
        versions.write_standing(home, standing)
        versions.switch(home, back)
        restart(trial)
        why = trial.answer(versions.folder_of(home, back))
        if why:
            raise UpdateError(f"switched to {back}, but {why}")
        return Outcome(back, True, _said(back, trial))
