"""What a stream remembers, on disk: written so that neither a crash nor a power cut leaves anything but a whole file.

A snapshot is JSON with its format, the hash of its model and a checksum, written as `atomic` writes: at every moment
one of the two is there, whole, the old or the new.
"""

from __future__ import annotations

import json
from hashlib import sha256

from .atomic import replacing
from .errors import SnapshotError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = "edge-lasso-state/1"
WRONG = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What taking over a content can raise that somebody else wrote."""
ADVICE = "start afresh with --fresh, or name another file"


def save(path: str, model: str, content: Any, format: str = FORMAT) -> None:
    """Write a snapshot.

    Parameters
    ----------
    path : str
    model : str
        The model's hash.
    content : JSON-ready data
    format : str
        What it is a snapshot of, with its version.

    Raises
    ------
    OSError
        The disk is full or the folder cannot be written to, with the snapshot's name; the one before is still there,
        and nothing else.
    """
    text = _text(content)
    head = json.dumps({"format": format, "model": model, "checksum": _checksum(format, model, text)})
    with replacing(path) as file:
        file.write(f'{head[:-1]}, "content": {text}}}\n'.encode())


def load(path: str, model: str | None, format: str = FORMAT, advice: str = ADVICE) -> Any:
    """Read the content of a snapshot (model None: of whichever model); None when there is none yet.

    Raises
    ------
    SnapshotError
    OSError
    """
    try:
        with open(path, "rb") as file:
            data = json.loads(file.read().decode("utf-8"))
        if not isinstance(data, dict) or str(data["format"]).partition("/")[0] != format.partition("/")[0]:
            raise ValueError
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, RecursionError):
        raise SnapshotError(f"{path} is damaged, or no snapshot; {advice}") from None
    if data["format"] != format:
        raise SnapshotError(f"{path} has the format {data['format']!r}; this version reads {format!r}; {advice}")
    supplied = str(data.get("model"))
    content = data.get("content")
    if data.get("checksum") != _checksum(format, supplied, _text(content)):
        raise SnapshotError(f"{path} is damaged: its checksum is not that of its content; {advice}")
    if model is not None and supplied != model:
        raise SnapshotError(f"{path} is of another model ({supplied[:12]}...; this one is {model[:12]}...); {advice}")
    return content


def _text(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"))


def _checksum(format: str, model: str, text: str) -> str:
    return sha256(f"{format} {model} {text}".encode()).hexdigest()
