"""What a bundle says about itself: for whom, which serial, until when, and every file with its size and hash.

The manifest is what is signed. It is read strictly, and only after its signature has been verified.
"""

from __future__ import annotations

import json

from .checks import parse, refuse_constant, take_keys, take_list, take_object, take_text, unique_pairs
from .errors import ModelFormatError, UpdateError
from .model import Record
from .times import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = "edge-lasso-bundle/1"
MANIFEST, SIGNATURES = "manifest.json", "manifest.sig"
UPDATER = 1
"""What this version can install; a bundle names the least it needs."""
LARGEST_SERIAL = 2**31 - 1
LAST_MOMENT = 253402300799.0
"""The end of the year 9999."""
LARGEST_FILE = 64 * 2**20
LARGEST_BUNDLE = 256 * 2**20
MOST_FILES = 1000
LONGEST_NAME = 100
LIMITS = ("degraded", "alarms", "error", "p95_us")
"""What a new version may do at most: shares of rows degraded and in alarm, times the old error, microseconds."""


class Manifest(Record):
    """A manifest that has been read.

    Parameters
    ----------
    fleet : str
        What the bundle is for.
    serial : int
        Rises with every bundle of a fleet.
    created, expires : float
        Seconds since 1970.
    rollout : int
        So many of 10,000 boards take it.
    model_hash : str
    python : tuple of int
        The least Python.
    updater : int
        The least `UPDATER`.
    sections : list of str
        Sections of the model.
    limits : dict
        Some of `LIMITS`.
    files : list of (name, size, sha256)
        In the order of their names.
    """

    __slots__ = ("created", "expires", "files", "fleet", "limits", "model_hash", "python", "rollout", "sections",
                 "serial", "updater")  # fmt: skip

    def __init__(
        self,
        fleet: str,
        serial: int,
        created: float,
        expires: float,
        rollout: int,
        model_hash: str,
        python: tuple[int, ...],
        updater: int,
        sections: list[str],
        limits: dict[str, float],
        files: list[tuple[str, int, str]],
    ) -> None:
        self.fleet = fleet
        self.serial = serial
        self.created = created
        self.expires = expires
        self.rollout = rollout
        self.model_hash = model_hash
        self.python = python
        self.updater = updater
        self.sections = sections
        self.limits = limits
        self.files = files

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in self.files)


def dumps(manifest: Manifest) -> bytes:
    """The manifest's file: the same manifest gives the same bytes."""
    data = {
        "format": FORMAT,
        "for": manifest.fleet,
        "serial": manifest.serial,
        "created": moment(manifest.created),
        "expires": moment(manifest.expires),
        "rollout": manifest.rollout,
        "model_hash": manifest.model_hash,
        "requires": {
            "python": list(manifest.python),
            "updater": manifest.updater,
            "sections": manifest.sections,
        },
        "limits": manifest.limits,
        "files": [{"name": name, "size": size, "sha256": digest} for name, size, digest in manifest.files],
    }
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def loads(data: bytes) -> Manifest:
    """Read a manifest.

    Raises
    ------
    UpdateError
        It is damaged, or of a version that is not known; the message names the field.
    """
    try:
        content = take_object(parse(data.decode("utf-8"), unique_pairs, refuse_constant), MANIFEST)
        if content.get("format") != FORMAT:
            raise ModelFormatError(f"format is {str(content.get('format'))[:60]!r}; this version reads {FORMAT!r}")
        keys = ("format", "for", "serial", "created", "expires", "rollout", "model_hash", "requires", "limits", "files")
        take_keys(content, MANIFEST, keys, ())
        requires = take_object(content["requires"], "requires")
        take_keys(requires, "requires", ("python", "updater", "sections"), ())
        return Manifest(
            name_of(content["for"], "for"),
            whole(content["serial"], "serial", 1, LARGEST_SERIAL),
            _moment(content["created"], "created"),
            _moment(content["expires"], "expires"),
            whole(content["rollout"], "rollout", 0, 10_000),
            _digest(content["model_hash"], "model_hash"),
            tuple(whole(part, "requires.python", 0, 1000) for part in take_list(requires["python"], "requires.python")),
            whole(requires["updater"], "requires.updater", 1, LARGEST_SERIAL),
            [take_text(name, "requires.sections") for name in take_list(requires["sections"], "requires.sections")],
            _limits(take_object(content["limits"], "limits")),
            _files(take_list(content["files"], "files")),
        )
    except RecursionError:
        raise UpdateError(f"{MANIFEST} is nested too deeply") from None
    except ValueError as error:  # not UTF-8, not JSON, or a field that is refused
        raise UpdateError(f"{MANIFEST}: {error}") from None


def name_of(data: Any, where: str) -> str:
    """A fleet's or a board's name: letters, digits, dots, dashes and underscores."""
    text = take_text(data, where)
    if len(text) > 64 or text[0] in ".-" or not all(char.isalnum() or char in "._-" for char in text):
        raise ModelFormatError(
            f"{where} is {text[:60]!r}; a name has up to 64 letters, digits, dots, dashes and underscores"
        )
    return text


def check_name(name: str) -> str:
    """A file's name inside a bundle, which is a place inside its folder and nothing else.

    Raises
    ------
    ModelFormatError
    """
    parts = name.split("/")
    fault = (
        len(name.encode()) > LONGEST_NAME
        or not name.isascii()
        or any(char < " " or char in '\\:\x7f"' for char in name)
        or any(part in ("", "__pycache__") or part[0] in ".-" or part[-1] in ". " for part in parts)
        or name.lower() in (MANIFEST, SIGNATURES)
    )
    if fault:
        raise ModelFormatError(f"the file name {name[:80]!r} is not a plain relative path")
    return name


def moment(time: float) -> str:
    """A time as a manifest writes it."""
    from time import gmtime, strftime

    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(time))


def whole(data: Any, where: str, low: int, high: int) -> int:
    """A whole number between two bounds."""
    if isinstance(data, bool) or not isinstance(data, int) or not low <= data <= high:
        raise ModelFormatError(f"{where} is {str(data)[:40]}; it must be a whole number from {low} to {high}")
    return data


def _moment(data: Any, where: str) -> float:
    text = take_text(data, where)
    time = seconds(text) if text.endswith("Z") and len(text) == 20 else None
    if time is None or moment(time) != text:
        raise ModelFormatError(f"{where} is {text[:40]!r}; it must be a time such as 2026-11-28T00:00:00Z")
    return time


def _digest(data: Any, where: str) -> str:
    text = take_text(data, where)
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise ModelFormatError(f"{where} is {text[:70]!r}; it must be 64 hexadecimal digits")
    return text


def _limits(data: dict[str, Any]) -> dict[str, float]:
    from .checks import number

    for key in data:
        if key not in LIMITS:
            raise ModelFormatError(f"limits has {key[:40]!r}; the limits are {', '.join(LIMITS)}")
    return {key: number(value, f"limits.{key}") for key, value in data.items()}


def _files(entries: list[Any]) -> list[tuple[str, int, str]]:
    if not 0 < len(entries) <= MOST_FILES:
        raise ModelFormatError(f"files has {len(entries)} entries; 1 to {MOST_FILES} are allowed")
    files: list[tuple[str, int, str]] = []
    for i, entry in enumerate(entries):
        where = f"files[{i}]"
        take_keys(take_object(entry, where), where, ("name", "size", "sha256"), ())
        name = check_name(take_text(entry["name"], f"{where}.name"))
        size = whole(entry["size"], f"{where}.size", 0, LARGEST_FILE)
        files.append((name, size, _digest(entry["sha256"], f"{where}.sha256")))
    names = [name for name, _, _ in files]
    if names != sorted(names):
        raise ModelFormatError("files are not in the order of their names")
    folded = [name.lower() for name in names]
    taken = set(folded)
    if len(taken) < len(folded):
        raise ModelFormatError("files has a name twice")
    for name in folded:
        parts = name.split("/")
        if any("/".join(parts[:depth]) in taken for depth in range(1, len(parts))):
            raise ModelFormatError(f"files has {name[:80]!r} inside of what is a file")
    if "model.json" not in taken:
        raise ModelFormatError("files has no model.json")
    if sum(size for _, size, _ in files) > LARGEST_BUNDLE:
        raise ModelFormatError(f"files hold more than {LARGEST_BUNDLE >> 20} MB")
    return files
