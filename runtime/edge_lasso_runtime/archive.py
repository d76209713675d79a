"""A bundle's file: a plain tar archive that is a function of its manifest and signatures, and of nothing else.

First `manifest.json`, then `manifest.sig`, then the files in the manifest's order, two empty blocks, the end. Every
header is the one that `header` writes, byte for byte: no link, device, second name, owner or extension can stand in it,
and ``tar`` lists and unpacks it. Nothing is compressed, so nothing grows when it is read.
"""

from __future__ import annotations

from hashlib import sha256

from .errors import UpdateError
from .manifest import MANIFEST, SIGNATURES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .manifest import Manifest

BLOCK = 512
CHUNK = 1 << 16
LARGEST_MANIFEST = 1 << 20
LARGEST_SIGNATURES = 1 << 16


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a file (POSIX.1-1988, ustar)."""
    head = name.encode().ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"0" * 11 + b"\0"
    tail = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    total = sum(head) + 8 * 32 + sum(tail)
    return head + b"%06o\x00 " % total + tail


def pack(manifest: bytes, signatures: bytes, files: Mapping[str, bytes]) -> bytes:
    """A bundle's bytes; files in the order of their names."""
    parts = [(MANIFEST, manifest), (SIGNATURES, signatures), *((name, files[name]) for name in sorted(files))]
    blocks = [header(name, len(data)) + data + bytes(-len(data) % BLOCK) for name, data in parts]
    return b"".join(blocks) + bytes(2 * BLOCK)


class Reader:
    """Reads a bundle from front to end, once.

    Parameters
    ----------
    read : callable
        ``read(n)`` gives up to n bytes, b"" at the end.

    Attributes
    ----------
    manifest, signatures : bytes
        The first two files; nothing is known about them yet.

    Raises
    ------
    UpdateError
        It is no bundle, or cut off.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.manifest = self._first(MANIFEST, LARGEST_MANIFEST)
        self.signatures = self._first(SIGNATURES, LARGEST_SIGNATURES)

    def files(self, manifest: Manifest) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Every file's name and pieces, to be read in this order; refused when anything is not as the manifest says."""
        for name, size, digest in manifest.files:
            if self._exactly(BLOCK) != header(name, size):
                raise UpdateError(f"the bundle has something else where {name} belongs")
            yield name, self._pieces(name, size, digest)
        if self._exactly(2 * BLOCK) != bytes(2 * BLOCK) or self._read(1):
            raise UpdateError("the bundle has more in it than its manifest names")

    def _first(self, name: str, most: int) -> bytes:
        head = self._exactly(BLOCK)
        digits = head[124:135]
        size = int(digits, 8) if len(digits) == 11 and not set(digits) - set(b"01234567") else -1
        if size < 0 or head != header(name, size):
            raise UpdateError(f"this is not a bundle: {name} is not where it belongs")
        if size > most:
            raise UpdateError(f"{name} has {size} bytes; {most} are allowed")
        return self._padded(size)

    def _pieces(self, name: str, size: int, digest: str) -> Iterator[bytes]:
        result = sha256()
        left = size
        while left:
            piece = self._read(min(left, CHUNK))
            if not piece:
                raise UpdateError(f"the bundle is cut off in the middle of {name}")
            left -= len(piece)
            result.update(piece)
            yield piece
        if any(self._exactly(-size % BLOCK)):
            raise UpdateError(f"the bundle has something after {name}")
        if result.hexdigest() != digest:
            raise UpdateError(f"{name} is damaged: its hash is not the manifest's")

    def _padded(self, size: int) -> bytes:
        data = self._exactly(size)
        if any(self._exactly(-size % BLOCK)):
            raise UpdateError("the bundle has something between its files")
        return data

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            piece = self._read(min(size, CHUNK))
            if not piece:
                raise UpdateError("the bundle is cut off")
            parts.append(piece)
            size -= len(piece)
        return b"".join(parts)
