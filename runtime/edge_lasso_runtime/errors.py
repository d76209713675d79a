"""The named errors of the runtime."""


class ModelFormatError(ValueError):
    """A model file, section or value that the runtime refuses; the message names the field."""


class SessionError(RuntimeError):
    """An artifact that cannot be loaded or run in its own runtime; the message says what to do."""


class MissingRuntimeError(SessionError):
    """The runtime that would execute an artifact is not here; the message says what brings it."""


class SnapshotError(ValueError):
    """A snapshot that is not this model's, not of this version, or damaged; the message says what to do."""


class UpdateError(RuntimeError):
    """A bundle, signature or version that is refused; what was in use still is."""
