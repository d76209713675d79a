"""Versions side by side in a board's folder, and the one that is in use.

::

    trust.json       whom the board believes
    state.json       the largest serial seen, the version before, a trial that goes on, what was bad
    versions/<serial>-<hash>/   one version whole, never changed
    current          link to the version in use; replacing it is the switch

Whatever is written is forced to the disk before the switch. A version is never changed: what is damaged is unpacked
anew, beside.
"""

from __future__ import annotations

import json
import os
from hashlib import sha256

from .archive import CHUNK
from .atomic import point, replacing, write_new
from .checks import parse, refuse_constant, take_keys, take_list, take_object, take_text, unique_pairs
from .errors import ModelFormatError, UpdateError
from .manifest import LARGEST_SERIAL, MANIFEST, SIGNATURES, loads, whole
from .model import Record
from .unfinished import sync_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .archive import Reader
    from .manifest import Manifest

FORMAT = "edge-lasso-home/1"
STATE, CURRENT, VERSIONS, LOCK = "state.json", "current", "versions", "lock"
STAGING = ".new-"
REMEMBERED = 20
PLAIN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
SPARE = 1 << 20
"""Bytes that stay free on the disk."""


class Standing(Record):
    """What a board remembers about its versions.

    Parameters
    ----------
    serial : int
        The largest that was accepted; it never falls.
    digest : str
        Of that bundle's manifest.
    created : float
        The latest signed time seen: it is not earlier than this.
    previous : str
        The version before; empty when there is none.
    trial : str
        The version that is being watched; empty when all is settled.
    bad : dict
        Version to why it is not used again.
    history : list of str
        What happened, a line each, the latest last.
    """

    __slots__ = ("bad", "created", "digest", "history", "previous", "serial", "trial")

    def __init__(
        self,
        serial: int = 0,
        digest: str = "",
        created: float = 0.0,
        previous: str = "",
        trial: str = "",
        bad: dict[str, str] | None = None,
        history: list[str] | None = None,
    ) -> None:
        self.serial = serial
        self.digest = digest
        self.created = created
        self.previous = previous
        self.trial = trial
        self.bad = bad or {}
        self.history = history or []

    def tell(self, now: float, text: str) -> list[str]:
        """The history with one more line."""
        from .manifest import moment

        return [*self.history, f"{moment(now)} {text}"][-REMEMBERED:]


def read_standing(home: str) -> Standing:
    """What the board remembers; a fresh one at first.

    Raises
    ------
    UpdateError
        The file is damaged.
    """
    path = os.path.join(home, STATE)
    try:
        with open(path, "rb") as file:
            data = take_object(parse(file.read(1 << 20).decode("utf-8"), unique_pairs, refuse_constant), STATE)
        if data.get("format") != FORMAT:
            raise ModelFormatError(f"format is {str(data.get('format'))[:60]!r}; this version reads {FORMAT!r}")
        take_keys(data, STATE, ("format", *Standing.__slots__), ())
        return Standing(
            whole(data["serial"], "serial", 0, LARGEST_SERIAL),
            take_text(data["digest"], "digest", True),
            float(whole(data["created"], "created", 0, 1 << 40)),
            take_text(data["previous"], "previous", True),
            take_text(data["trial"], "trial", True),
            {take_text(key, "bad"): take_text(value, "bad") for key, value in take_object(data["bad"], "bad").items()},
            [take_text(line, "history") for line in take_list(data["history"], "history")],
        )
    except FileNotFoundError:
        return Standing()
    except (ValueError, RecursionError) as error:
        raise UpdateError(
            f"{path} is damaged ({str(error)[:80]}); if nobody has tampered with it, remove it: "
            "the board goes on from the version in use"
        ) from None


def write_standing(home: str, standing: Standing) -> None:
    """Remember."""
    data: dict[str, Any] = {"format": FORMAT, **{name: getattr(standing, name) for name in Standing.__slots__}}
    data["created"] = int(standing.created)
    with replacing(os.path.join(home, STATE), 0o644) as file:
        file.write((json.dumps(data, indent=1) + "\n").encode())


def version_of(manifest: Manifest, data: bytes) -> str:
    """The id of a version: its serial, and the beginning of its manifest's hash."""
    return f"{manifest.serial}-{sha256(data).hexdigest()[:16]}"


def current(home: str) -> str:
    """The version in use; empty when there is none.

    Raises
    ------
    UpdateError
        What is there is not a link to one of the versions.
    """
    path = os.path.join(home, CURRENT)
    if not os.path.lexists(path):
        return ""
    target = os.readlink(path) if os.path.islink(path) else ""
    folder, _, version = target.partition("/")
    if folder != VERSIONS or not is_version(version):
        raise UpdateError(f"{path} is not a link to one of our versions; what is it? move it away")
    return version


def is_version(name: str) -> bool:
    """Whether a name is one that we give versions."""
    serial, _, rest = name.partition("-")
    digest, _, copy = rest.partition("-")
    return (
        serial.isdigit()
        and len(digest) == 16
        and not set(digest) - set("0123456789abcdef")
        and (copy.isdigit() or not copy)
    )


def folder_of(home: str, version: str) -> str:
    """Where a version lies."""
    return os.path.join(home, VERSIONS, version)


def read_version(home: str, version: str) -> tuple[Manifest, bytes]:
    """The manifest of a version on this board, and its bytes.

    Raises
    ------
    UpdateError
        It is not there, or not the one that its name says.
    """
    path = os.path.join(folder_of(home, version), MANIFEST)
    try:
        with open(path, "rb") as file:
            data = file.read(1 << 20)
    except OSError as error:
        raise UpdateError(f"version {version} is not whole: {MANIFEST}: {error.strerror}") from None
    manifest = loads(data)
    if version_of(manifest, data) != "-".join(version.split("-")[:2]):
        raise UpdateError(f"version {version} is not whole: its manifest is another's")
    return manifest, data


def check(home: str, version: str) -> Manifest:
    """Read every file of a version again and compare it with the manifest.

    Raises
    ------
    UpdateError
        A file is missing, damaged, a link, or not named by the manifest.
    """
    manifest, _ = read_version(home, version)
    root = folder_of(home, version)
    named = {MANIFEST, SIGNATURES, *(name for name, _, _ in manifest.files)}
    for path, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in [*files, *(name for name in folders if os.path.islink(os.path.join(path, name)))]:
            relative = os.path.relpath(os.path.join(path, name), root).replace(os.sep, "/")
            if relative not in named:
                raise UpdateError(f"version {version} is not whole: {relative[:80]} does not belong to it")
    for name, _, digest in manifest.files:
        path = os.path.join(root, *name.split("/"))
        result = sha256()
        try:
            with open(os.open(path, PLAIN), "rb") as file:
                for piece in iter(lambda: file.read(CHUNK), b""):
                    result.update(piece)
        except OSError as error:
            raise UpdateError(f"version {version} is not whole: {name}: {error.strerror}") from None
        if result.hexdigest() != digest:
            raise UpdateError(f"version {version} is not whole: {name} is damaged")
    return manifest


def unpack(home: str, reader: Reader, manifest: Manifest) -> str:
    """Write a bundle's files into a new folder, every one forced to the disk; returns its name in `versions`.

    Raises
    ------
    UpdateError
        The files are not what the manifest says, or the disk is full; the folder is gone then.
    """
    parent = os.path.join(home, VERSIONS)
    os.makedirs(parent, 0o755, exist_ok=True)
    space = os.statvfs(parent) if hasattr(os, "statvfs") else None
    if space is not None and space.f_bavail * space.f_frsize < manifest.size + SPARE:
        free = space.f_bavail * space.f_frsize >> 10
        raise UpdateError(f"{parent} has {free} KB free; the bundle needs {manifest.size + SPARE >> 10} KB")
    name = STAGING + os.urandom(8).hex()
    root = os.path.join(parent, name)
    try:
        os.mkdir(root, 0o755)
        folders = {root}
        write_new(os.path.join(root, MANIFEST), iter([reader.manifest]))
        write_new(os.path.join(root, SIGNATURES), iter([reader.signatures]))
        for file, pieces in reader.files(manifest):
            path = os.path.join(root, *file.split("/"))
            folder = os.path.dirname(path)
            while folder not in folders:
                os.makedirs(folder, 0o755, exist_ok=True)
                folders.add(folder)
                folder = os.path.dirname(folder)
            write_new(path, pieces)
        for folder in sorted(folders, key=len, reverse=True):
            sync_folder(folder)
    except BaseException:
        remove(home, name)
        raise
    return name


def name_staged(home: str, staging: str, version: str) -> str:
    """Give an unpacked folder its name, which is returned; where it is there already, it has to be whole."""
    number = 1
    name = version
    while os.path.lexists(folder_of(home, name)):
        try:
            check(home, name)
        except UpdateError:
            number += 1
        else:
            remove(home, staging)
            return name
        name = f"{version}-{number}"
    os.rename(folder_of(home, staging), folder_of(home, name))
    sync_folder(os.path.join(home, VERSIONS))
    return name


def switch(home: str, version: str) -> None:
    """Use a version from now on."""
    point(os.path.join(home, CURRENT), f"{VERSIONS}/{version}")


def clear(home: str, keep: int, *used: str) -> None:
    """Remove what runs that ended in the middle left behind, and the oldest versions beyond so many.

    Only folders that are ours are touched: a link, a foreign name or a folder without a manifest stays.
    """
    for name in os.listdir(home):
        if name.endswith(".tmp") and (name.startswith((f"{CURRENT}.", f".{STATE}.", ".trust.json."))):
            os.remove(os.path.join(home, name))
    parent = os.path.join(home, VERSIONS)
    if not os.path.isdir(parent):
        return
    ours = []
    for name in os.listdir(parent):
        path = os.path.join(parent, name)
        if os.path.islink(path) or not os.path.isdir(path):
            continue
        if name.startswith(STAGING) and is_version(f"0-{name[len(STAGING) :]}"):
            remove(home, name)
        elif is_version(name) and os.path.isfile(os.path.join(path, MANIFEST)):
            ours.append((os.stat(path).st_mtime, name))
    others = [name for _, name in sorted(ours, reverse=True) if name not in used]
    for name in others[max(keep - len(set(used) - {""}), 0) :]:
        remove(home, name)


def remove(home: str, name: str) -> None:
    """Remove a folder of `versions`; its manifest last, so that one that is half gone is still known as ours."""
    import shutil

    root = folder_of(home, name)
    if os.path.isdir(root) and not os.path.islink(root):
        for entry in os.listdir(root):
            path = os.path.join(root, entry)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif entry != MANIFEST:
                os.remove(path)
        shutil.rmtree(root)
