"""What is probed: a model file or an artifact, as the few lines of Python that its user would run."""

from __future__ import annotations

from .errors import MissingRuntimeError, SessionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .artifact import Artifact
    from .model import Model

ISOLATED = ["-I", "-S"]
STAGES = ".stages.json"


class Subject:
    """A model or artifact to probe.

    Parameters
    ----------
    kind : str
        ``runtime`` (a model file through this package), ``python``, ``c``, ``onnx`` or ``tflite``.
    facts : dict
        What goes into the result's ``subject``.
    flags : list of str
        The interpreter's options: isolated and without site-packages where those are not needed.
    stages : (str, str, str)
        Python text: imports, loading, one prediction.
    open : callable
        In a measuring process: the function and arguments of one prediction.
    """

    def __init__(
        self,
        kind: str,
        facts: dict[str, Any],
        stages: tuple[str, str, str],
        open: Callable[[], tuple[Callable[[Any], Any], list[Any]]],
    ) -> None:
        self.kind = kind
        self.facts = facts
        self.flags = ISOLATED if kind in ("runtime", "python", "c") else []
        self.stages = stages
        self.open = open


def subject(path: str, library: str | None = None, strings: bool = False) -> Subject:
    """Find out what `path` is: a model file, an artifact's folder, or a file in one.

    Parameters
    ----------
    path : str
        Or ``NAME.stages.json``, which measures any other Python code beside them: an object with strings ``target``,
        ``variant``, ``file`` (whose size counts), ``imports``, ``loading``, ``function`` and ``argument``.
    library : str, optional
        A C artifact's shared library.
    strings : bool
        Whether the strings of a ``.stages.json`` may be executed: whoever made the file chooses what runs.

    Raises
    ------
    SessionError, ModelFormatError
        It is neither, or it is damaged.
    """
    import os

    from .artifact import FILE, read

    path = os.path.abspath(path)
    if path.endswith(STAGES) and os.path.isfile(path):
        if not strings:
            raise SessionError(f"{path} holds strings to execute; with --strings they are, with your rights")
        return _stages(path)
    if not os.path.exists(path):
        raise SessionError(f"{path} does not exist; give a model file or an artifact's folder")
    if os.path.isfile(path) and path.endswith((".json", ".pyz")) and os.path.basename(path) != FILE:
        from .format import load

        return _model(path, load(path))
    artifact = read(path)
    if artifact.variant == "pyz":
        return subject(artifact.path())
    result = _artifact(artifact, library)
    file = library or artifact.path()
    result.facts.update(
        target=artifact.target,
        variant=artifact.variant,
        inputs=len(artifact.inputs),
        outputs=len(artifact.outputs),
        model_hash=artifact.model_hash,
        size_bytes=os.path.getsize(file),
        file=os.path.basename(file),
    )
    return result


def model_rows(model: Model) -> list[list[float]]:
    """Rows to time a model with: its defaults, lows and highs."""
    numeric = [
        (feature.default, feature.low, feature.high) if feature.categories is None else (0.0, 0.0, 0.0)
        for feature in model.inputs
    ]
    return [[entry[i] for entry in numeric] for i in range(3)]  # type: ignore[misc]


def artifact_rows(artifact: Artifact) -> list[list[float]]:
    """Rows to time an artifact with: its self-test rows, those without gaps if there are any."""
    rows = [vector[0] for vector in artifact.self_test]
    whole = [row for row in rows if all(x == x for x in row)]
    return whole or [[x if x == x else 0.0 for x in row] for row in rows] or [[0.0] * len(artifact.inputs)]


def _home() -> str:
    import os

    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _model(path: str, model: Model) -> Subject:
    import os

    rows = model_rows(model)

    def open_model() -> tuple[Callable[[Any], Any], list[Any]]:
        from .predict import predict

        return (lambda row: predict(model, row)), rows

    facts = {
        "target": "runtime",
        "variant": "double",
        "inputs": len(model.inputs),
        "outputs": len(model.outputs),
        "size_bytes": os.path.getsize(path),
        "file": os.path.basename(path),
    }
    stages = (
        f"import sys\nsys.path.insert(0, {_home()!r})\nimport edge_lasso_runtime as r",
        f"m = r.load({path!r})",
        f"r.predict(m, {rows[0]!r})",
    )
    return Subject("runtime", facts, stages, open_model)


def _stages(path: str) -> Subject:
    import os

    from .checks import parse

    with open(path, encoding="utf-8") as file:
        data = parse(file.read(), None, float)
    names = ("target", "variant", "file", "imports", "loading", "function", "argument")
    if not isinstance(data, dict) or any(not isinstance(data.get(name), str) for name in names):
        raise SessionError(f"{path} must be an object with the strings {', '.join(names)}")
    target, variant, measured, imports, loading, function, argument = (data[name] for name in names)
    folder = os.path.dirname(path)
    imports = f"import os, sys\nos.chdir({folder!r})\nsys.path.insert(0, {folder!r})\n{imports}"

    def open_stages() -> tuple[Callable[[Any], Any], list[Any]]:
        space: dict[str, Any] = {}
        exec(f"{imports}\n{loading}", space)
        return eval(function, space), [eval(argument, space)]

    size = os.path.getsize(os.path.join(folder, measured))
    facts = {"target": target, "variant": variant, "file": measured, "size_bytes": size}
    return Subject("stages", facts, (imports, loading, f"({function})({argument})"), open_stages)


def _artifact(artifact: Artifact, library: str | None) -> Subject:
    from .sessions import load, session_module

    rows = artifact_rows(artifact)
    if artifact.target == "python":
        # The row is turned into integers here: encode belongs to the sensor's side.
        session = load("python", artifact.folder, in_process=True)
        first = session.one_row(rows)[1][0]
        module = artifact.entry[:-3] if artifact.entry.endswith(".py") else artifact.entry
        imports = f"import sys\nsys.path.insert(0, {artifact.folder!r})\nimport {module} as m"
        return Subject("python", {}, (imports, "pass", f"m.predict({first!r})"), lambda: session.one_row(rows))
    if artifact.target == "c":
        session = load("c", artifact.folder, library=library)
        stages = _c_stages(artifact, library or session.path, session, rows)  # type: ignore[attr-defined]
        return Subject("c", {}, stages, lambda: session.one_row(rows))
    needs = getattr(session_module(artifact.target), "IMPORTS", None)
    if needs is None:
        raise MissingRuntimeError(f"target {artifact.target!r} cannot be probed here; there is no session for it")
    imports = (
        f"import sys\nsys.path.insert(0, {_home()!r})\nfrom edge_lasso_runtime.sessions import load\n"
        f"try:\n    {needs}\nexcept ImportError:\n    pass"
    )
    loading = f"f, a = load({artifact.target!r}, {artifact.folder!r}).one_row({rows[:1]!r})"
    return Subject(
        artifact.target, {}, (imports, loading, "f(a[0])"), lambda: load(artifact.target, artifact.folder).one_row(rows)
    )


def _c_stages(artifact: Artifact, library: str, session: Any, rows: list[list[float]]) -> tuple[str, str, str]:
    fixed = artifact.variant == "fixed"
    row = session.encode(rows[:1])[0] if fixed else rows[0]
    real = "c_float" if artifact.variant == "float" else "c_double"
    source, result = ("c_int16", "c_int32") if fixed else (real, real)
    count, width = len(artifact.outputs), len(artifact.inputs)
    loading = (
        f"f = ctypes.CDLL({library!r}).{artifact.name}_predict\n"
        f"f.restype = {f'ctypes.{result}' if count == 1 else 'None'}\n"
        f"x = (ctypes.{source} * {max(width, 1)})(*{row!r})\ny = (ctypes.{result} * {count})()"
    )
    return "import ctypes", loading, "f(x)" if count == 1 else "f(x, y)"
