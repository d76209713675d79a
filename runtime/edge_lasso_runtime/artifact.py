"""What lies in an artifact's folder: `artifact.json` beside the files of one target.

Read strictly: an artifact travels by copy and by network, so a damaged one ends in one clear `SessionError`.
"""

from __future__ import annotations

from .checks import number, parse, refuse_constant, take_list, take_object, take_text
from .errors import ModelFormatError, SessionError
from .model import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")

FORMAT = "edge-lasso-artifact/1"
FILE = "artifact.json"
NAN = float("nan")


class Artifact(Record):
    """One target's files and what they are.

    Parameters
    ----------
    folder : str
    target, variant : str
        Such as ``c`` and ``float``.
    entry : str
        The file a runtime opens, relative to `folder`.
    name : str
        Prefix of C symbols and files.
    inputs, outputs : list of str
        Names, in the order a row and a result have.
    model_hash : str
        Of the model it was made from.
    handles_missing : bool
        False: the caller replaces readings that are missing.
    self_test : list of (row, linear, tolerances)
        Rows with NaN where a reading is missing, the linear predictor they must give and how far it may be off.
    encoding : dict or None
        ``encode`` and ``decode``, each with lists ``offset`` and ``scale``: where an artifact's tensors are integers,
        they stand for ``(x - offset) / scale`` of a reading and ``(y - offset) / scale`` of a linear predictor.
    step : dict or None
        Of an artifact that takes in rows one after another: ``readings`` (names), and whether a result has ``linear``,
        ``estimate``, ``detector``, and whether there is a `step_q` (``integers``); see `step_session`.
    version : str
        The model's own.
    """

    __slots__ = (
        "encoding",
        "entry",
        "folder",
        "handles_missing",
        "inputs",
        "model_hash",
        "name",
        "outputs",
        "self_test",
        "step",
        "target",
        "variant",
        "version",
    )

    def __init__(
        self,
        folder: str,
        target: str,
        variant: str,
        entry: str,
        name: str,
        inputs: list[str],
        outputs: list[str],
        model_hash: str,
        handles_missing: bool,
        self_test: list[tuple[list[float], list[float], list[float]]],
        encoding: dict[str, dict[str, list[float]]] | None = None,
        step: dict[str, Any] | None = None,
        version: str = "",
    ) -> None:
        self.folder = folder
        self.target = target
        self.variant = variant
        self.entry = entry
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.model_hash = model_hash
        self.handles_missing = handles_missing
        self.self_test = self_test
        self.encoding = encoding
        self.step = step
        self.version = version

    def path(self, file: str = "") -> str:
        """The path of a file of this artifact (of the entry file by default)."""
        return f"{self.folder}/{file or self.entry}"


def read(folder: Any) -> Artifact:
    """Read an artifact's folder.

    Parameters
    ----------
    folder : str or os.PathLike
        The folder, or a file in it.

    Raises
    ------
    SessionError
        There is no `artifact.json`, or it is damaged; the message names the field.
    """
    import os

    from .unfinished import settle

    path = os.fspath(folder)
    if os.path.isfile(path):
        path = os.path.dirname(path) or "."
    settle(f"{path}/{FILE}")
    try:
        with open(f"{path}/{FILE}", encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        raise SessionError(f"{path} has no {FILE}; give the folder that 'edge-lasso export' wrote") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SessionError(f"{path}/{FILE} cannot be read: {error}") from None
    try:
        return _artifact(path, take_object(parse(text, None, refuse_constant), FILE))
    except RecursionError:
        raise SessionError(f"{path}/{FILE} is nested too deeply; export the artifact again") from None
    except ModelFormatError as error:
        raise SessionError(f"{path}/{FILE}: {error}; export the artifact again") from None
    except ValueError as error:
        raise SessionError(f"{path}/{FILE} is not JSON ({error}); export the artifact again") from None


def _artifact(folder: str, data: dict[str, Any]) -> Artifact:
    if data.get("format") != FORMAT:
        raise ModelFormatError(f"format is {str(data.get('format'))[:60]!r}; this version reads {FORMAT!r}")
    inputs = _each(data, "inputs", take_text)
    outputs = _each(data, "outputs", take_text)
    handles_missing = data.get("handles_missing")
    if not isinstance(handles_missing, bool):
        raise ModelFormatError("handles_missing must be true or false")
    entry = take_text(data.get("entry"), "entry")
    if entry.startswith(("/", "\\")) or ".." in entry.replace("\\", "/").split("/") or ":" in entry:
        raise ModelFormatError("entry must be a file inside the folder")
    name = take_text(data.get("name"), "name")
    if not (name.isascii() and name.isidentifier()):
        raise ModelFormatError("name must be an identifier")  # it becomes a path, and a part of programs
    self_test = []
    for i, vector in enumerate(take_list(data.get("self_test"), "self_test")):
        where = f"self_test[{i}]"
        take_object(vector, where)
        row = [NAN if x is None else number(x, f"{where}.row") for x in take_list(vector.get("row"), f"{where}.row")]
        linear = [number(x, f"{where}.linear") for x in take_list(vector.get("linear"), f"{where}.linear")]
        allowed = [
            number(x, f"{where}.tolerance") for x in take_list(vector.get("tolerance", [0.0] * len(linear)), where)
        ]
        if len(row) != len(inputs) or not len(linear) == len(allowed) == len(outputs):
            raise ModelFormatError(f"{where} does not fit {len(inputs)} inputs and {len(outputs)} outputs")
        self_test.append((row, linear, allowed))
    return Artifact(
        folder,
        take_text(data.get("target"), "target"),
        take_text(data.get("variant"), "variant"),
        entry,
        name,
        inputs,
        outputs,
        take_text(data.get("model_hash"), "model_hash"),
        handles_missing,
        self_test,
        _encoding(data["encoding"], len(inputs), len(outputs)) if "encoding" in data else None,
        _step(take_object(data["step"], "step")) if "step" in data else None,
        take_text(data["version"], "version") if "version" in data else "",
    )


def _step(data: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"readings": _each(data, "readings", take_text)}
    data = {"label": data.get("linear"), **data}  # files from before the link exp
    for key in ("linear", "label", "estimate", "detector"):
        if not isinstance(data.get(key), bool):
            raise ModelFormatError(f"step.{key} must be true or false")
        entry[key] = data[key]
    entry["integers"] = data.get("integers", False)
    if not isinstance(entry["integers"], bool):
        raise ModelFormatError("step.integers must be true or false")
    return entry


def _encoding(data: Any, inputs: int, outputs: int) -> dict[str, dict[str, list[float]]]:
    take_object(data, "encoding")
    table = {}
    for key, width in (("encode", inputs), ("decode", outputs)):
        part = take_object(data.get(key), f"encoding.{key}")
        table[key] = {name: _each(part, name, number) for name in ("offset", "scale")}
        if any(len(entry) != width for entry in table[key].values()) or 0.0 in table[key]["scale"]:
            raise ModelFormatError(f"encoding.{key} must have {width} offsets and scales other than 0")
    return table


def _each(data: dict[str, Any], key: str, check: Callable[[Any, str], T]) -> list[T]:
    values = [check(entry, f"{key}[{i}]") for i, entry in enumerate(take_list(data.get(key), key))]
    if not values and key == "outputs":
        raise ModelFormatError("outputs is empty")
    return values
