"""Bundles for a fleet: a model, its artifacts and certificate, and the runtime, in one archive that is signed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from edge_lasso.errors import DataError
from edge_lasso.measuring.measurement import runtime_files
from edge_lasso.verifying.artifact_files import hashes
from edge_lasso.verifying.certificate import CERTIFICATE, PASSED, from_json
from edge_lasso.verifying.materials import BILL, CARD, bill, card
from edge_lasso_runtime import Model, archive, artifact, manifest, model_hash, trust
from edge_lasso_runtime.errors import UpdateError
from edge_lasso_runtime.format import file_text

PYTHON = (3, 9)
"""The least that the runtime takes."""


@dataclass(frozen=True)
class Plan:
    """What a bundle is for.

    Parameters
    ----------
    fleet : str
    serial : int
        Higher than that of every bundle before.
    expires : float
        Seconds since 1970.
    rollout : int
        So many of 10,000 boards take it.
    limits : mapping
        See `edge_lasso_runtime.manifest.LIMITS`.
    """

    fleet: str
    serial: int
    expires: float
    rollout: int = 10_000
    limits: Mapping[str, float] = field(default_factory=dict)


def bundle(model: Model, artifacts: Sequence[Path], plan: Plan, runtime: bool = True) -> bytes:
    """Write a bundle, not signed yet: the same arguments give the same bytes (``SOURCE_DATE_EPOCH`` dates it).

    Parameters
    ----------
    model : Model
    artifacts : sequence of Path
        Folders that ``export`` wrote, each with a certificate beside it that it passed.
    plan : Plan
    runtime : bool
        Bring the runtime; without it a board uses the one that is installed there.

    Raises
    ------
    DataError
        An artifact is of another model, or is not certified; a field of the plan is not allowed.
    """
    files = {"model.json": file_text(model).encode(), **(runtime_files() if runtime else {})}
    for folder in artifacts:
        files.update(_certified(folder, model_hash(model)))
    created = _now()
    certificates = [data for name, data in files.items() if name == f"artifacts/{CERTIFICATE}"]
    certificate = from_json(json.loads(certificates[0])) if certificates else None
    files[BILL] = bill(model, hashes(files), certificate, manifest.moment(created))
    files[CARD] = card(model, certificate)
    about = manifest.Manifest(
        plan.fleet,
        plan.serial,
        created,
        plan.expires,
        plan.rollout,
        model_hash(model),
        PYTHON,
        manifest.UPDATER,
        sorted(model.sections),
        dict(plan.limits),
        [],
    )
    if plan.expires <= about.created:
        raise DataError(f"it would expire at {manifest.moment(plan.expires)}, which is past; choose a later --expires")
    return packed(about, files)


def packed(about: manifest.Manifest, files: Mapping[str, bytes]) -> bytes:
    """A bundle of files, not signed; its manifest lists them.

    Raises
    ------
    DataError
        A board would refuse it.
    """
    listed = [(name, len(files[name]), sha256(files[name]).hexdigest()) for name in sorted(files)]
    data = manifest.dumps(about.replace(files=listed))
    try:
        manifest.loads(data)
    except UpdateError as error:
        raise DataError(str(error)) from None
    return archive.pack(data, b"", files)


def sign(bundled: bytes, keys: Sequence[Path]) -> bytes:
    """Add signatures to a bundle.

    Parameters
    ----------
    bundled : bytes
    keys : sequence of Path
        Private keys, or public ones whose private half an agent or a security key holds.

    Raises
    ------
    DataError
        It is no bundle, or ``ssh-keygen`` does not sign.
    """
    data, signatures, files = _opened(bundled)
    return archive.pack(data, signatures + signed(data, keys, trust.BUNDLES), files)


def signed(data: bytes, keys: Sequence[Path], namespace: str) -> bytes:
    """Signatures of data, one per key, as ``ssh-keygen -Y sign`` writes them."""
    parts = []
    for key in keys:
        if not key.is_file():
            raise DataError(f"--sign {key} is no file; give a key as ssh-keygen writes it")
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", namespace, "-f", str(key)]
        try:
            done = subprocess.run(command, input=data, capture_output=True, check=False)
        except FileNotFoundError:
            raise DataError("no ssh-keygen here; install Debian's openssh-client") from None
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit {done.returncode}"]
            raise DataError(f"{key} does not sign: {lines[-1]}")
        parts.append(done.stdout)
    return b"".join(parts)


def read_manifest(bundled: bytes) -> manifest.Manifest:
    """What a bundle says about itself; nothing is verified."""
    return manifest.loads(_opened(bundled)[0])


def signers_file(fleet: str, version: int, threshold: int, allowed: str, serial: int | None = None) -> bytes:
    """New signers for a fleet, to be signed by old and new ones.

    Parameters
    ----------
    fleet : str
    version : int
        The one before and one.
    threshold : int
        So many must sign a bundle.
    allowed : str
        Text of an ``allowed_signers`` file.
    serial : int, optional
        Where serials go on.

    Raises
    ------
    DataError
    """
    try:
        signers = trust.read_signers(allowed)
    except UpdateError as error:
        raise DataError(str(error)) from None
    people = len({line.split()[0] for line in signers})
    if not 1 <= threshold <= people:
        raise DataError(f"--threshold {threshold}: the file names {people}; 1 to {people} are possible")
    return trust.signers_file(fleet, version, threshold, signers, serial)


def _opened(bundled: bytes) -> tuple[bytes, bytes, dict[str, bytes]]:
    rest = memoryview(bundled)

    def read(size: int) -> bytes:
        nonlocal rest
        piece, rest = rest[:size], rest[size:]
        return bytes(piece)

    try:
        reader = archive.Reader(read)
        files = {name: b"".join(pieces) for name, pieces in reader.files(manifest.loads(reader.manifest))}
    except UpdateError as error:
        raise DataError(str(error)) from None
    return reader.manifest, reader.signatures, files


def _certified(folder: Path, wanted: str) -> dict[str, bytes]:
    """The files of an artifact that passed, and its certificate."""
    about = artifact.read(folder)
    if about.model_hash != wanted:
        raise DataError(f"{folder} is of model {about.model_hash[:12]}, the bundle's is {wanted[:12]}; export it again")
    path = folder.parent / CERTIFICATE
    try:
        certificate = from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} does not certify {folder.name}: {error}; export it again") from None
    title = f"{about.target}:{about.variant}"
    if certificate.model_hash != wanted or certificate.verdicts.get(title) != PASSED:
        raise DataError(f"{path} does not say that {title} of this model passed; export it again")
    files = {f"artifacts/{folder.name}/{each.relative_to(folder).as_posix()}": each.read_bytes()
             for each in sorted(folder.rglob("*")) if each.is_file() and "__pycache__" not in each.parts}  # fmt: skip
    return {**files, f"artifacts/{CERTIFICATE}": path.read_bytes()}


def _now() -> float:
    return float(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
