"""The record of trainings: one line of JSON each, appended to `trainings.jsonl` beside the model and never changed."""

from __future__ import annotations

import errno
import getpass
import json
import os
import socket
from pathlib import Path
from typing import Any

from edge_lasso_runtime import Model, model_hash

FILE = "trainings.jsonl"


def record(model: Model, file: Path) -> Path:
    """Append what a training was, and what came out.

    Parameters
    ----------
    model : Model
        With its provenance.
    file : Path
        Where the model was written.

    Returns
    -------
    Path
        The record. A line is one write to a file opened for appending, so that trainings at the same time do not mix.

    Raises
    ------
    OSError
        The folder is not writable, or the disk is full.
    """
    about = model.provenance
    line: dict[str, Any] = {
        "when": about.get("date"),
        "who": f"{_user()}@{socket.gethostname()}",
        "model": file.name,
        "model_hash": model_hash(model),
        "targets": [one.name for one in model.outputs],
        "inputs": [one.name for one in model.inputs],
        **{key: about[key] for key in ("data", "options", "seed", "fits", "held_out", "versions") if key in about},
    }
    path = file.parent / FILE
    data = (json.dumps(line, allow_nan=False) + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        written = os.write(descriptor, data)
        if written < len(data):  # the disk is full: no half a line stays
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without this user
        return str(os.getuid())
