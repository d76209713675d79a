"""What a model's parts are called in the YAML of ESPHome."""

from __future__ import annotations

from edge_lasso_runtime import Model
from edge_lasso_runtime.detector import KEY as DETECTOR
from edge_lasso_runtime.stream import keeps_state, readings

from .names import identifiers

YAML = ("on", "off", "yes", "no")
"""Identifiers that YAML takes for something else."""
RESERVED = ("platform", "id", "model_id", "score")
"""Keys that a sensor's YAML has already."""


def component(name: str) -> str:
    """The component's name in YAML, its folder's and its C prefix: none of ESPHome's own begins so."""
    return f"edge_lasso_{name.lower()}"


def sources(model: Model) -> dict[str, int]:
    """The key of each source in YAML, to the position among the model's inputs."""
    positions = readings(model) if keeps_state(model) else list(range(len(model.inputs)))
    return dict(zip(_keys([*YAML], [model.inputs[i].name for i in positions]), positions, strict=True))


def numbers(model: Model) -> list[str]:
    """The keys of a model's sensors in YAML: its outputs, and a detector's score behind them."""
    score = ["score"] if DETECTOR in model.sections else []
    return _keys([*YAML, *RESERVED], [output.name for output in model.outputs]) + score


def texts(model: Model) -> list[str]:
    """The keys of its text sensors."""
    return ["status"] if model.classes is None else ["status", "label"]


def binaries(model: Model) -> list[str]:
    """The keys of its binary sensors."""
    return ["problem", "alarm"] if DETECTOR in model.sections else ["problem"]


def spoken(model: Model) -> list[bool]:
    """Whether each source gives words."""
    return [model.inputs[i].categories is not None for i in sources(model).values()]


def categories(model: Model) -> list[str]:
    """The words of each source, in C++; nothing where all give numbers."""
    if not any(spoken(model)):
        return []
    words = [model.inputs[i].categories for i in sources(model).values()]
    names = ["nullptr" if known is None else f"CATEGORIES_{place}" for place, known in enumerate(words)]
    return [
        *(f"static const char *const {name}[] = {{{', '.join(map(literal, known)) or 'nullptr'}}};"
          for name, known in zip(names, words, strict=True) if known is not None),
        f"static const char *const *const CATEGORIES[] = {{{', '.join(names)}}};",
        f"static const size_t COUNTS[] = {{{', '.join(str(len(known or ())) for known in words)}}};",
    ]  # fmt: skip


def classes(model: Model) -> str:
    """The words of a classifier, in C++."""
    return f"static const char *const CLASSES[] = {{{', '.join(map(literal, model.classes or ()))}}};"


def literal(text: str) -> str:
    """A string of C++ in YAML: of signs only some as they are, because ``${`` and ``id(`` mean something there."""
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _.-"
    data = text.encode(errors="replace")
    return '"' + "".join(chr(byte) if byte in safe else f"\\{byte:03o}" for byte in data) + '"'


def _keys(taken: list[str], names: list[str]) -> list[str]:
    return identifiers([*taken, *names])[len(taken) :]
