"""Reading and writing model files: ``edge-lasso-model/1``, JSON, strict.

`loads` executes nothing and either returns a whole model or raises one `ModelFormatError` that names the field.
Sections are checked by the module that understands them (`SECTIONS`), imported when a file has one.
"""

from __future__ import annotations

from .errors import ModelFormatError
from .model import LINKS, POLICIES, STREAMS, Factor, Input, Model, Output, Term

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FORMAT = "edge-lasso-model/1"
LARGEST_FILE = 16 * 2**20
SECTIONS = {
    "detector/1": "detector",
    "drift/1": "drift",
    "estimate/1": "estimate",
    "fixed_detector/1": "fixed_detector_section",
    "fixed_point/1": "fixed_point",
    "health/1": "health",
    "interval/1": "interval",
}
LAST = ("fixed_detector/1",)
"""Sections that are made from others: checked when these have been."""
LONGEST_STREAM = 100_000
SEAL = "file_sha256"
"""The last key of a file: the hash of the text before it. A file without one is taken as it is."""
SWITCH = ".edge-lasso.switch"
"""What `unfinished` calls a set of files that is still being moved into place."""


def load(path: Any) -> Model:
    """Read a model file.

    Parameters
    ----------
    path : str or os.PathLike
        A model file, or a bundle (``model.pyz``), whose model is read from inside.

    Raises
    ------
    ModelFormatError
        The file is not a valid model; the message names the field.
    OSError
        The file cannot be read.
    """
    import os

    name = str(path).replace("\\", "/").rsplit("/", 1)[-1]
    if os.path.lexists(os.path.join(os.path.dirname(path), SWITCH)):  # looked up here: most starts import no more
        from .unfinished import settle

        settle(path)
    if name.endswith(".pyz"):
        from .bundle import MODEL, member

        data = member(path, MODEL)
    else:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ModelFormatError(f"{name} is larger than {LARGEST_FILE >> 20} MB; an edge-lasso model is not")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"{name} is not UTF-8 text (byte {error.start}); an edge-lasso model is JSON") from None
    return loads(text, name)


def loads(text: str, name: str = "model") -> Model:
    """Read a model from JSON text; `name` stands in front of error messages."""
    try:
        data = parse(text, _unique, _constant)
    except RecursionError:
        raise ModelFormatError(f"{name} is nested too deeply; an edge-lasso model is not") from None
    except ModelFormatError as error:
        raise ModelFormatError(f"{name}: {error}") from None
    except ValueError as error:
        raise ModelFormatError(f"{name} is not JSON: {error}") from None
    if isinstance(data, dict) and SEAL in data and text.replace("\r\n", "\n") != _sealed(text.replace("\r\n", "\n")):
        raise ModelFormatError(
            f"{name} is damaged, or was edited: its {SEAL} is not that of its text; train or export it again, "
            "or take that line out to use the file as it is"
        )
    try:
        return from_dict(data)
    except ModelFormatError as error:
        raise ModelFormatError(f"{name}: {error}") from None
    except RecursionError:
        raise ModelFormatError(f"{name} is nested too deeply; an edge-lasso model is not") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # what no check named
        raise ModelFormatError(f"{name} is not as edge-lasso writes it ({type(error).__name__}: {error})") from None


class _Scanning:
    """What CPython's JSON scanner reads off its argument."""

    strict = True
    object_hook = None
    parse_float = float
    parse_int = int

    def __init__(self, pairs: Callable[[list[tuple[str, Any]]], Any] | None, constant: Callable[[str], Any]) -> None:
        self.object_pairs_hook = pairs
        self.parse_constant = constant


def parse(text: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None, constant: Callable[[str], Any]) -> Any:
    """Parse JSON as `json.loads` does, without importing it where CPython's own scanner can be had.

    `json` imports `re`, which alone costs more than a bare interpreter's start; the scanner in C does not need it.
    `pairs` and `constant` are `json.loads`' `object_pairs_hook` and `parse_constant`.

    Raises
    ------
    ValueError
        The text is not JSON; also whatever the two functions raise.
    """
    return parser(pairs, constant)(text)


def parser(
    pairs: Callable[[list[tuple[str, Any]]], Any] | None, constant: Callable[[str], Any]
) -> Callable[[str], Any]:
    """What `parse` does, made once for many texts."""
    spaces = " \t\n\r"
    try:
        import _json as scanner
    except ImportError:
        scan = None
    else:
        make: Any = scanner.make_scanner
        scan = make(_Scanning(pairs, constant))

    def read(text: str) -> Any:
        if scan is not None:
            try:
                data, end = scan(text, len(text) - len(text.lstrip(spaces)))
            except (StopIteration, SystemError):
                end = -1  # it wants to name what is wrong, but raises SystemError where `json` was never imported
            if end == len(text.rstrip(spaces)):
                return data
        import json  # for its message, or on a Python without the scanner

        return json.loads(text, object_pairs_hook=pairs, parse_constant=constant)

    return read


def from_dict(data: Any) -> Model:
    """Build a model from parsed JSON, refusing anything unknown, missing or out of place."""
    if not isinstance(data, dict) or "format" not in data:
        raise ModelFormatError(f'\'format\' is missing; an edge-lasso model starts with "format": "{FORMAT}"')
    if data["format"] != FORMAT:
        raise ModelFormatError(f"format is {_show(data['format'])}; this version reads '{FORMAT}'")
    _keys(data, "", ("format", "columns", "inputs", "outputs"), ("policy", "classes", "sections", "provenance", SEAL))
    columns = _names(data["columns"], "columns")
    inputs = tuple(_input(one, f"inputs[{i}]", columns) for i, one in enumerate(_list(data["inputs"], "inputs")))
    _distinct([one.name for one in inputs], "inputs", "name")
    _distinct([one.column for one in inputs], "inputs", "column")
    _check_streams(inputs)
    outputs = tuple(_output(one, f"outputs[{i}]", inputs) for i, one in enumerate(_list(data["outputs"], "outputs")))
    if not outputs:
        raise ModelFormatError("outputs is empty; a model has at least one")
    _distinct([one.name for one in outputs], "outputs", "name")
    classes = None if data.get("classes") is None else _names(data["classes"], "classes")
    _check_links(outputs, classes)
    model = Model(
        columns,
        inputs,
        outputs,
        policy=_choice(data.get("policy", "extrapolate"), "policy", POLICIES),
        classes=classes,
        provenance=_object(data.get("provenance", {}), "provenance"),
    )
    _check_room(model)
    sections = _object(data.get("sections", {}), "sections")
    whole = model.replace(sections=sections)
    for key, section in sorted(sections.items(), key=lambda one: one[0] in LAST):
        if key in SECTIONS:
            validator = __import__(f"{__package__}.{SECTIONS[key]}", fromlist=["validate"])
            validator.validate(section, whole if key in LAST else model, f"sections[{key!r}]")
        elif not key.startswith("x-"):
            known = ", ".join(sorted(SECTIONS))
            raise ModelFormatError(f"section {_show(key)} is unknown; this version reads {known} and ignores 'x-...'")
    return whole


def to_dict(model: Model) -> dict[str, Any]:
    """The model as JSON-ready data, in the file's order of keys."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "columns": list(model.columns),
        "inputs": [_input_dict(one) for one in model.inputs],
        "outputs": [_output_dict(one, model.inputs) for one in model.outputs],
        "policy": model.policy,
    }
    if model.classes is not None:
        data["classes"] = list(model.classes)
    if model.sections:
        data["sections"] = model.sections
    if model.provenance:
        data["provenance"] = model.provenance
    return data


def dumps(model: Model) -> str:
    """A model as text: deterministic, one input or term a line."""
    import json

    return _pretty(to_dict(model), 0, json.dumps) + "\n"


def file_text(model: Model) -> str:
    """What a model file holds: `dumps`, sealed with its own hash."""
    return _sealed(dumps(model)[:-3])


def _sealed(text: str) -> str:
    """A file's text up to a seal, and the seal that belongs to it."""
    end = text.rfind(f',\n  "{SEAL}": ')
    body = text if end < 0 else text[:end]
    return f'{body},\n  "{SEAL}": "{sha256(body.encode("utf-8"))}"\n}}\n'


def sha256(data: bytes) -> str:
    """SHA-256 (hex) from Python's own code: `hashlib` loads OpenSSL, which takes longer than a small file."""
    try:
        from _sha2 import sha256 as compute  # type: ignore[import-not-found]
    except ImportError:
        try:
            from _sha256 import sha256 as compute  # type: ignore[import-not-found]
        except ImportError:
            from hashlib import sha256 as compute
    return str(compute(data).hexdigest())


def save(model: Model, path: Any) -> None:
    """Write a model file, whole or not at all."""
    from .atomic import write_text

    from_dict(to_dict(model))
    write_text(path, file_text(model))


def model_hash(model: Model) -> str:
    """SHA-256 (hex) of what the model computes: everything but the provenance and ``x-...`` sections."""
    import json

    data = to_dict(model)
    data.pop("provenance", None)
    sections = {key: value for key, value in data.pop("sections", {}).items() if not key.startswith("x-")}
    if sections:
        data["sections"] = sections
    return sha256(json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def _input(data: Any, where: str, columns: tuple[str, ...]) -> Input:
    _keys(data, where, ("name", "column"), ("default", "low", "high", "unit", "categories", "raw", "stream"))
    name = _text(data["name"], f"{where}.name")
    column = _index(data["column"], f"{where}.column", len(columns), "columns")
    unit = _text(data.get("unit", ""), f"{where}.unit", empty=True)
    if "categories" in data:
        for key in ("default", "low", "high", "raw", "stream"):
            if key in data:
                raise ModelFormatError(f"{where}.{key} does not go with categories; leave it out")
        categories = _names(data["categories"], f"{where}.categories")
        return Input(name, column, None, None, None, unit, categories)
    for key in ("default", "low", "high"):
        if key not in data:
            raise ModelFormatError(f"{where}.{key} is missing; a numeric input has default, low and high")
    default, low, high = (number(data[key], f"{where}.{key}") for key in ("default", "low", "high"))
    if not low <= default <= high:
        raise ModelFormatError(f"{where}: low <= default <= high does not hold for {low!r}, {default!r}, {high!r}")
    raw = None
    if "raw" in data:
        _keys(data["raw"], f"{where}.raw", ("scale", "offset"), ())
        raw = (number(data["raw"]["scale"], f"{where}.raw.scale"), number(data["raw"]["offset"], f"{where}.raw.offset"))
        if raw[0] == 0.0:
            raise ModelFormatError(f"{where}.raw.scale is 0; it must not be")
    stream = None
    if "stream" in data:
        at = f"{where}.stream"
        _keys(data["stream"], at, ("kind", "of", "length"), ())
        kind = _choice(data["stream"]["kind"], f"{at}.kind", STREAMS)
        length = data["stream"]["length"]
        least = 1 if kind in ("lag", "difference") else 2
        if isinstance(length, bool) or not isinstance(length, int) or not least <= length <= LONGEST_STREAM:
            raise ModelFormatError(
                f"{at}.length is {_show(length)}; it must be a number of readings from {least} to {LONGEST_STREAM}"
            )
        if raw is not None:
            raise ModelFormatError(f"{where}.raw does not go with stream; the input it is computed from has it")
        stream = (kind, _text(data["stream"]["of"], f"{at}.of"), length)
    return Input(name, column, default, low, high, unit, None, raw, stream)


def _check_streams(inputs: tuple[Input, ...]) -> None:
    sources = {one.name for one in inputs if one.stream is None and one.categories is None}
    for i, one in enumerate(inputs):
        if one.stream is not None and one.stream[1] not in sources:
            raise ModelFormatError(
                f"inputs[{i}].stream.of is {_show(one.stream[1])}; it must be an input of numbers that is itself read"
            )


def _input_dict(one: Input) -> dict[str, Any]:
    data: dict[str, Any] = {"name": one.name, "column": one.column}
    if one.categories is None:
        data.update(default=one.default, low=one.low, high=one.high)
    else:
        data["categories"] = list(one.categories)
    if one.unit:
        data["unit"] = one.unit
    if one.raw is not None:
        data["raw"] = {"scale": one.raw[0], "offset": one.raw[1]}
    if one.stream is not None:
        data["stream"] = dict(zip(("kind", "of", "length"), one.stream))
    return data


def _output(data: Any, where: str, inputs: tuple[Input, ...]) -> Output:
    _keys(data, where, ("name", "intercept", "terms"), ("link", "unit"))
    terms = tuple(
        _term(one, f"{where}.terms[{i}]", inputs) for i, one in enumerate(_list(data["terms"], f"{where}.terms"))
    )
    return Output(
        _text(data["name"], f"{where}.name"),
        number(data["intercept"], f"{where}.intercept"),
        terms,
        _choice(data.get("link", "identity"), f"{where}.link", LINKS),
        _text(data.get("unit", ""), f"{where}.unit", empty=True),
    )


def _output_dict(one: Output, inputs: tuple[Input, ...]) -> dict[str, Any]:
    data: dict[str, Any] = {"name": one.name, "intercept": one.intercept, "link": one.link}
    if one.unit:
        data["unit"] = one.unit
    data["terms"] = [
        {"coef": term.coef, "factors": [_factor_data(factor, inputs) for factor in term.factors]} for term in one.terms
    ]
    return data


def _term(data: Any, where: str, inputs: tuple[Input, ...]) -> Term:
    _keys(data, where, ("coef", "factors"), ())
    factors = tuple(
        _factor(one, f"{where}.factors[{i}]", inputs)
        for i, one in enumerate(_list(data["factors"], f"{where}.factors"))
    )
    if not 1 <= len(factors) <= 8:
        raise ModelFormatError(f"{where}.factors has {len(factors)} entries; a term has 1 to 8")
    return Term(number(data["coef"], f"{where}.coef"), factors)


def _factor(data: Any, where: str, inputs: tuple[Input, ...]) -> Factor:
    if not isinstance(data, dict):
        index = _index(data, where, len(inputs), "inputs")
        if inputs[index].categories is not None:
            raise ModelFormatError(f"{where} uses the categorical input {inputs[index].name!r} as a number")
        return Factor(index)
    _keys(data, where, ("input", "equals"), ())
    index = _index(data["input"], f"{where}.input", len(inputs), "inputs")
    categories = inputs[index].categories
    if categories is None or data["equals"] not in categories:
        raise ModelFormatError(f"{where}.equals is {_show(data['equals'])}, which is not a category of its input")
    return Factor(index, categories.index(data["equals"]))


def _factor_data(factor: Factor, inputs: tuple[Input, ...]) -> Any:
    if factor.category is None:
        return factor.input
    categories = inputs[factor.input].categories
    assert categories is not None
    return {"input": factor.input, "equals": categories[factor.category]}


def _check_links(outputs: tuple[Output, ...], classes: tuple[str, ...] | None) -> None:
    links = {one.link for one in outputs}
    if len(links) > 1:
        raise ModelFormatError(f"outputs have different links ({', '.join(sorted(links))}); they must share one")
    link = links.pop()
    if link == "identity":
        if classes is not None:
            raise ModelFormatError("classes do not go with link 'identity'; use 'logistic' or 'softmax'")
        return
    if (link == "logistic") != (len(outputs) == 1):
        raise ModelFormatError(f"link {link!r} with {len(outputs)} outputs; 'logistic' has one, 'softmax' two or more")
    wanted = 2 if link == "logistic" else len(outputs)
    if classes is None or len(classes) != wanted:
        raise ModelFormatError(f"classes must name the {wanted} classes of link {link!r}")


def _check_room(model: Model) -> None:
    limit = model.limit
    if limit <= 1.0:
        raise ModelFormatError("the model's values can overflow float32 for readings within +-1; rescale the target")
    for i, one in enumerate(model.inputs):
        if one.low is not None and one.high is not None and max(-one.low, one.high) > limit:
            raise ModelFormatError(
                f"inputs[{i}]: the range {one.low!r} to {one.high!r} can overflow float32 in this model "
                f"(readings must stay within +-{limit!r}); rescale the input or the target"
            )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise ModelFormatError(f"key {_show(key)} stands twice in one object")
            seen.add(key)
    return data


def _constant(name: str) -> Any:
    raise ModelFormatError(f"{name} is not allowed; numbers must be finite")


def _keys(data: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    prefix = where + "." if where else ""
    _object(data, where or "the model")
    for key in required:
        if key not in data:
            raise ModelFormatError(f"{prefix}{key} is missing")
    for key in data:
        if key not in required and key not in optional:
            raise ModelFormatError(f"{prefix}{str(key)[:60]} is unknown; allowed are {', '.join(required + optional)}")


def _object(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ModelFormatError(f"{where} is {_show(data)}; it must be an object")
    return data


def _list(data: Any, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise ModelFormatError(f"{where} is {_show(data)}; it must be a list")
    return data


def number(data: Any, where: str) -> float:
    """A finite float, or the error that names the field."""
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise ModelFormatError(f"{where} is {_show(data)}; it must be a number")
    try:
        value = float(data)
    except OverflowError:
        value = float("inf")
    if not -1.7976931348623157e308 <= value <= 1.7976931348623157e308:
        raise ModelFormatError(f"{where} is {value}; it must be finite")
    return value


def _index(data: Any, where: str, size: int, of: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise ModelFormatError(f"{where} is {_show(data)}; it must be an index into {of}")
    if not 0 <= data < size:
        raise ModelFormatError(f"{where} is {_show(data)}; {of} has {size} entries, counted from 0")
    return data


def _text(data: Any, where: str, empty: bool = False) -> str:
    if not isinstance(data, str) or not (data or empty):
        raise ModelFormatError(f"{where} is {_show(data)}; it must be {'a' if empty else 'a non-empty'} string")
    try:
        data.encode("utf-8")
    except UnicodeEncodeError:
        raise ModelFormatError(f"{where} is {_show(data)}; half of a surrogate pair is not text") from None
    return data


def _names(data: Any, where: str) -> tuple[str, ...]:
    names = tuple(_text(one, f"{where}[{i}]") for i, one in enumerate(_list(data, where)))
    _distinct(names, where, "name")
    return names


def _choice(data: Any, where: str, allowed: tuple[str, ...]) -> str:
    if data not in allowed:
        raise ModelFormatError(f"{where} is {_show(data)}; allowed are {', '.join(allowed)}")
    return str(data)


def _distinct(values: Any, where: str, what: str) -> None:
    seen = set()
    for i, value in enumerate(values):
        if value in seen:
            raise ModelFormatError(f"{where}[{i}] repeats the {what} {_show(value)}")
        seen.add(value)


def _show(data: Any) -> str:
    try:
        text = repr(data)
    except (ValueError, RecursionError):
        text = f"a {type(data).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def _pretty(data: Any, depth: int, dumps: Callable[..., str]) -> str:
    if isinstance(data, (dict, list)) and data and (depth < 1 or _nested(data)):
        pad = "  " * (depth + 1)
        if isinstance(data, dict):
            items = [f"{dumps(key)}: {_pretty(value, depth + 1, dumps)}" for key, value in data.items()]
        else:
            items = [_pretty(value, depth + 1, dumps) for value in data]
        opening, closing = "{}" if isinstance(data, dict) else "[]"
        return f"{opening}\n{pad}" + f",\n{pad}".join(items) + f"\n{'  ' * depth}{closing}"
    return dumps(data, allow_nan=False)


def _nested(data: Any) -> bool:
    values = data.values() if isinstance(data, dict) else data
    return any(isinstance(value, (dict, list)) and _long(value) for value in values)


def _long(data: Any) -> bool:
    return isinstance(data, dict) or any(isinstance(value, dict) for value in data)
