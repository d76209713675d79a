"""Output that is all old or all new, whatever happens: one file, or a set of files that belong together.

What is written stands aside under a name that nobody can guess, made with ``O_EXCL`` and ``O_NOFOLLOW``, and is forced
to the disk. One file is renamed over the old one. A set is switched by one rename: its folder takes the name `SWITCH`,
which says that all of it is there, and from then on whoever looks (`settle`) moves what has not been moved yet. Folders
are forced to the disk, too. Folders are locked (``flock``) only while something in them changes its name.

Where a platform lacks folders that can be opened (Windows), neither they are locked nor forced to the disk, and what
dead runs left is cleared after a day instead of at once, because nothing tells the dead from the living.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress

from .switch import SWITCH
from .unfinished import (
    NAMES,
    NEW,
    checked,
    finish,
    is_aside,
    lock,
    locked_folder,
    name_aside,
    opened,
    remove,
    sync_folder,
    tidy,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@contextmanager
def replacing(path: Any, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Write a file piece by piece; it takes its name when the block ends, and is removed when the block fails.

    Parameters
    ----------
    path : str or os.PathLike
        The folder must exist. A link is replaced, not followed.
    mode : int
        Before the umask.

    Raises
    ------
    OSError
        The folder is not writable, the disk is full, or `path` is no ordinary file; what was there is untouched.
    """
    path = os.fspath(path)
    folder = os.path.dirname(path) or "."
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "is not an ordinary file, which alone can be replaced", path)
    aside = name_aside(folder)
    with _named(path):
        with locked_folder(folder):
            tidy(folder)
            file = os.fdopen(os.open(aside, NEW_FILE, mode), "w+b")
            lock(file.fileno())  # a sign of life, for those who tidy
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if os.name != "posix":
                    file.close()  # an open file keeps its name there
                with locked_folder(folder):
                    finish(folder)
                    os.replace(aside, path)
                    sync_folder(folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(aside)
            raise


class Together:
    """Files and folders that take their names together; see `together`.

    Attributes
    ----------
    folder : str
        Where they will be.
    """

    def __init__(self, folder: str, aside: str) -> None:
        self.folder = folder
        self._aside = aside
        self._lines: dict[str, bytes] = {}
        self._read: dict[str, str] = {}
        self._names: list[str] = []

    def path(self, name: str) -> str:
        """Where to write what will be called `name` (relative to the folder, with ``/``): a file, or a whole folder."""
        place = os.path.join(self._aside, NEW, *checked(name).split("/"))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if name not in self._names:
            self._names.append(name)
        return place

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file."""
        with open(self.path(name), "wb") as file:
            file.write(data)

    def append(self, name: str, line: bytes) -> None:
        """Add a line to the end of a file, which is made when there is none."""
        self._lines[checked(name)] = self._lines.get(name, b"") + line

    def read(self, name: str, digest: str) -> None:
        """Say what was read to make this set, by `digest_of`: if that file changes meanwhile, nothing is written."""
        self._read[checked(name)] = digest

    def switch(self) -> None:
        """Let all of it take its names."""
        with locked_folder(self.folder):
            finish(self.folder)
            for name, digest in self._read.items():
                path = os.path.join(self.folder, name)
                if digest_of(path) != digest:
                    raise OSError(errno.EBUSY, "was changed by another command meanwhile; run this one again", path)
            for name, line in self._lines.items():
                self.write(name, _whole_lines(os.path.join(self.folder, name)) + line)
            if not self._names:
                return
            import json

            with open(os.path.join(self._aside, NAMES), "w", encoding="utf-8") as file:
                json.dump(self._names, file)
            _sync_all(self._aside)
            os.rename(self._aside, os.path.join(self.folder, SWITCH))
            try:
                sync_folder(self.folder)
                finish(self.folder)
            except OSError as error:
                text = f"{error.strerror}; all is written, and whichever command reads it next moves it into place"
                raise OSError(error.errno, text, self.folder) from None


@contextmanager
def together(folder: Any) -> Iterator[Together]:
    """Write files that belong together: all of them take their names when the block ends, or none does.

    Parameters
    ----------
    folder : str or os.PathLike
        Must exist; the files will be in it or below it.

    Yields
    ------
    Together

    Raises
    ------
    OSError
        The folder is not writable, or the disk is full; what was there is untouched.
    """
    folder = os.fspath(folder) or "."
    aside = name_aside(folder)
    with locked_folder(folder):
        tidy(folder)
        os.mkdir(aside, 0o700)
        alive = opened(aside)
    try:
        files = Together(folder, aside)
        yield files
        files.switch()
    finally:
        if os.path.lexists(aside):
            with suppress(OSError):
                remove(aside)
        if alive is not None:
            os.close(alive)


def digest_of(path: Any) -> str:
    """SHA-256 (hex) of a file."""
    from hashlib import sha256

    digest = sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def write_bytes(path: Any, data: bytes) -> None:
    """Write a whole file or nothing; see `replacing`."""
    with replacing(path) as file:
        file.write(data)


def write_text(path: Any, text: str) -> None:
    """Write a whole UTF-8 text file or nothing."""
    write_bytes(path, text.encode("utf-8"))


def json_bytes(data: Any) -> bytes:
    """JSON-ready data as the text of a file."""
    import json

    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def write_json(path: Any, data: Any) -> None:
    """Write a whole JSON file or nothing."""
    write_bytes(path, json_bytes(data))


def write_new(path: str, chunks: Iterator[bytes], mode: int = 0o644) -> None:
    """Write a file that is not there yet, and force it to the disk."""
    with os.fdopen(os.open(path, NEW_FILE, mode), "wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())


def point(link: str, target: str) -> None:
    """Make a link name a target, at once: there is no moment without it."""
    aside = f"{link}.{os.urandom(8).hex()}.tmp"
    os.symlink(target, aside)
    try:
        os.replace(aside, link)
    except BaseException:
        os.remove(aside)
        raise
    sync_folder(os.path.dirname(link) or ".")


@contextmanager
def _named(path: str) -> Iterator[None]:
    """A write that fails does not say where, and nobody knows the name aside."""
    try:
        yield
    except OSError as error:
        if error.errno is None or not (error.filename in (None, path) or is_aside(error.filename)):
            raise
        raise type(error)(error.errno, error.strerror, path) from None


def _whole_lines(path: str) -> bytes:
    """What is in a file of lines; the half line that a power cut left is ended."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return b""
    return data if not data or data.endswith(b"\n") else data + b"\n"


def _sync_all(folder: str) -> None:
    """Force files, and the folders they are in, to the disk."""
    for place, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(os.path.join(place, name), os.O_RDONLY if os.name == "posix" else os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(place)
