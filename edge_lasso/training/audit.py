"""The record of trainings: one line of JSON each, at the end of `trainings.jsonl` beside the model."""

from __future__ import annotations

import getpass
import json
import os
import socket
from pathlib import Path
from typing import Any

from edge_lasso_runtime import Model, model_hash

FILE = "trainings.jsonl"


def line(model: Model, file: Path) -> bytes:
    """What a training was, and what came out.

    Parameters
    ----------
    model : Model
        With its provenance.
    file : Path
        What the model will be called.
    """
    about = model.provenance
    record: dict[str, Any] = {
        "when": about.get("date"),
        "who": f"{_user()}@{socket.gethostname()}",
        "model": file.name,
        "model_hash": model_hash(model),
        "targets": [output.name for output in model.outputs],
        "inputs": [feature.name for feature in model.inputs],
        **{key: about[key] for key in ("data", "options", "seed", "fits", "held_out", "versions") if key in about},
    }
    return (json.dumps(record, allow_nan=False) + "\n").encode()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without this user
        return str(os.getuid())
