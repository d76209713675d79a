"""An artifact checks itself at boot: its own test vectors in its own runtime."""

from __future__ import annotations

from .errors import SessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def selftest(path: Any) -> tuple[list[str], str]:
    """Run an artifact's test vectors.

    Parameters
    ----------
    path : str or os.PathLike
        The artifact's folder.

    Returns
    -------
    failures : list of str
        One line each; empty when all is well.
    text : str
        What was run.

    Raises
    ------
    SessionError
        There is no artifact, its runtime is missing, or it does not load.
    """
    import tempfile

    from .artifact import read
    from .c_session import library_here
    from .sessions import load, self_test

    artifact = read(path)
    if not artifact.self_test:
        raise SessionError(f"{artifact.folder} carries no test vectors; export it again")
    with tempfile.TemporaryDirectory() as away:
        options = {"library": library_here(artifact, away)} if artifact.target == "c" else {}
        with load(artifact.target, artifact.folder, **options) as session:
            count, failures = self_test(session)
            if session.model_hash not in (None, artifact.model_hash):
                failures.insert(0, f"the artifact is of model {session.model_hash}, artifact.json of another")
            return failures, f"{artifact.target}:{artifact.variant}, {count} vectors in {session.runtime}"
