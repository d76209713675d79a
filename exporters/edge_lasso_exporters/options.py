"""What a target module is asked to render."""

from __future__ import annotations

from dataclasses import dataclass


class ExportError(ValueError):
    """A model that a target cannot express, or a target that is not there; the message says what to do."""


@dataclass(frozen=True)
class Options:
    """How to render an artifact.

    Parameters
    ----------
    variant : str
        One of the target module's `VARIANTS`.
    inputs : {"selected", "all"}
        Take only the model's inputs, or the whole training row (`Model.columns`).
    name : str
        An identifier: the prefix of files and C symbols.
    version : str
        The model's own, which the artifact carries.
    missing : {"artifact", "caller"}
        Who puts the default in place of a missing reading; the caller only where the target lets it.
    """

    variant: str
    inputs: str = "selected"
    name: str = "model"
    version: str = "1.0.0"
    missing: str = "artifact"
