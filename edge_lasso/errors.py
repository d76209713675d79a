"""The named errors a user can meet, in one place."""

from __future__ import annotations

from edge_lasso_devices.errors import BoardError
from edge_lasso_exporters.options import ExportError
from edge_lasso_runtime.errors import ModelFormatError, SessionError

__all__ = ["BoardError", "DataError", "ExportError", "ModelFormatError", "SessionError", "VerificationError"]


class DataError(ValueError):
    """A table, column or option that cannot be used; the message names it and says what to do."""


class VerificationError(Exception):
    """An artifact that does not keep its promise, or that could not be run."""
