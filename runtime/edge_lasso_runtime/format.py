"""Reading and writing model files: ``edge-lasso-model/1``, JSON, strict.

`loads` executes nothing and either returns a whole model or raises one `ModelFormatError` that names the field.
Sections are checked by the module that understands them (`SECTIONS`), imported when a file has one.
"""

from __future__ import annotations

from .checks import (
    check_distinct,
    check_finite,
    number,
    parse,
    pretty_json,
    refuse_constant,
    sha256,
    shown,
    take_choice,
    take_index,
    take_keys,
    take_list,
    take_names,
    take_object,
    take_text,
    unique_pairs,
)
from .errors import ModelFormatError
from .model import LINKS, POLICIES, STREAMS, Factor, Input, Model, Output, Term
from .model_checks import check_links, check_room, check_streams
from .sections import LAST, SECTIONS, STRAIGHT, section_module
from .switch import SWITCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = "edge-lasso-model/1"
LARGEST_FILE = 16 * 2**20
LONGEST_STREAM = 100_000
SEAL = "file_sha256"
"""The last key of a file: the hash of the text before it. A file without one is taken as it is."""


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
        data = parse(text, unique_pairs, refuse_constant)
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


def from_dict(data: Any) -> Model:
    """Build a model from parsed JSON, refusing anything unknown, missing or out of place."""
    if not isinstance(data, dict) or "format" not in data:
        raise ModelFormatError(f'\'format\' is missing; an edge-lasso model starts with "format": "{FORMAT}"')
    if data["format"] != FORMAT:
        raise ModelFormatError(f"format is {shown(data['format'])}; this version reads '{FORMAT}'")
    take_keys(
        data, "", ("format", "columns", "inputs", "outputs"), ("policy", "classes", "sections", "provenance", SEAL)
    )
    columns = take_names(data["columns"], "columns")
    inputs = tuple(
        _input(feature, f"inputs[{i}]", columns) for i, feature in enumerate(take_list(data["inputs"], "inputs"))
    )
    check_distinct([feature.name for feature in inputs], "inputs", "name")
    check_distinct([feature.column for feature in inputs], "inputs", "column")
    check_streams(inputs)
    outputs = tuple(
        _output(output, f"outputs[{i}]", inputs) for i, output in enumerate(take_list(data["outputs"], "outputs"))
    )
    if not outputs:
        raise ModelFormatError("outputs is empty; a model has at least one")
    check_distinct([output.name for output in outputs], "outputs", "name")
    classes = None if data.get("classes") is None else take_names(data["classes"], "classes")
    check_links(outputs, classes)
    model = Model(
        columns,
        inputs,
        outputs,
        policy=take_choice(data.get("policy", "extrapolate"), "policy", POLICIES),
        classes=classes,
        provenance=take_object(data.get("provenance", {}), "provenance"),
    )
    check_finite(model.provenance, "provenance")
    check_room(model)
    sections = take_object(data.get("sections", {}), "sections")
    whole = model.replace(sections=sections)
    for key, section in sorted(sections.items(), key=lambda entry: entry[0] in LAST):
        if key in STRAIGHT and model.bent:
            raise ModelFormatError(f"sections[{key!r}] does not go with hinges and steps; leave one of the two out")
        module = section_module(key)
        if module is not None:
            module.validate(section, whole if key in LAST else model, f"sections[{key!r}]")
        elif key.startswith("x-"):
            check_finite(section, f"sections[{shown(key)}]")
        else:
            known = ", ".join(sorted(SECTIONS))
            raise ModelFormatError(f"section {shown(key)} is unknown; this version reads {known} and ignores 'x-...'")
    return whole


def to_dict(model: Model) -> dict[str, Any]:
    """The model as JSON-ready data, in the file's order of keys."""
    data: dict[str, Any] = {
        "format": FORMAT,
        "columns": list(model.columns),
        "inputs": [_input_dict(feature) for feature in model.inputs],
        "outputs": [_output_dict(output, model.inputs) for output in model.outputs],
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

    return pretty_json(to_dict(model), 0, json.dumps) + "\n"


def file_text(model: Model) -> str:
    """What a model file holds: `dumps`, sealed with its own hash."""
    return _sealed(dumps(model)[:-3])


def _sealed(text: str) -> str:
    """A file's text up to a seal, and the seal that belongs to it."""
    end = text.rfind(f',\n  "{SEAL}": ')
    body = text if end < 0 else text[:end]
    return f'{body},\n  "{SEAL}": "{sha256(body.encode("utf-8"))}"\n}}\n'


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
    take_keys(data, where, ("name", "column"), ("default", "low", "high", "unit", "categories", "raw", "stream"))
    name = take_text(data["name"], f"{where}.name")
    column = take_index(data["column"], f"{where}.column", len(columns), "columns")
    unit = take_text(data.get("unit", ""), f"{where}.unit", empty=True)
    if "categories" in data:
        for key in ("default", "low", "high", "raw", "stream"):
            if key in data:
                raise ModelFormatError(f"{where}.{key} does not go with categories; leave it out")
        categories = take_names(data["categories"], f"{where}.categories")
        return Input(name, column, None, None, None, unit, categories)
    for key in ("default", "low", "high"):
        if key not in data:
            raise ModelFormatError(f"{where}.{key} is missing; a numeric input has default, low and high")
    default, low, high = (number(data[key], f"{where}.{key}") for key in ("default", "low", "high"))
    if not low <= default <= high:
        raise ModelFormatError(f"{where}: low <= default <= high does not hold for {low!r}, {default!r}, {high!r}")
    raw = None
    if "raw" in data:
        take_keys(data["raw"], f"{where}.raw", ("scale", "offset"), ())
        raw = (number(data["raw"]["scale"], f"{where}.raw.scale"), number(data["raw"]["offset"], f"{where}.raw.offset"))
        if raw[0] == 0.0:
            raise ModelFormatError(f"{where}.raw.scale is 0; it must not be")
    stream = None
    if "stream" in data:
        at = f"{where}.stream"
        take_keys(data["stream"], at, ("kind", "of", "length"), ())
        kind = take_choice(data["stream"]["kind"], f"{at}.kind", STREAMS)
        length = data["stream"]["length"]
        least = 1 if kind in ("lag", "difference") else 2
        if isinstance(length, bool) or not isinstance(length, int) or not least <= length <= LONGEST_STREAM:
            raise ModelFormatError(
                f"{at}.length is {shown(length)}; it must be a number of readings from {least} to {LONGEST_STREAM}"
            )
        if raw is not None:
            raise ModelFormatError(f"{where}.raw does not go with stream; the input it is computed from has it")
        stream = (kind, take_text(data["stream"]["of"], f"{at}.of"), length)
    return Input(name, column, default, low, high, unit, None, raw, stream)


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
    take_keys(data, where, ("name", "intercept", "terms"), ("link", "unit"))
    terms = tuple(
        _term(term, f"{where}.terms[{i}]", inputs) for i, term in enumerate(take_list(data["terms"], f"{where}.terms"))
    )
    return Output(
        take_text(data["name"], f"{where}.name"),
        number(data["intercept"], f"{where}.intercept"),
        terms,
        take_choice(data.get("link", "identity"), f"{where}.link", LINKS),
        take_text(data.get("unit", ""), f"{where}.unit", empty=True),
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
    take_keys(data, where, ("coef", "factors"), ())
    factors = tuple(
        _factor(factor, f"{where}.factors[{i}]", inputs)
        for i, factor in enumerate(take_list(data["factors"], f"{where}.factors"))
    )
    if not 1 <= len(factors) <= 8:
        raise ModelFormatError(f"{where}.factors has {len(factors)} entries; a term has 1 to 8")
    return Term(number(data["coef"], f"{where}.coef"), factors)


def _factor(data: Any, where: str, inputs: tuple[Input, ...]) -> Factor:
    if not isinstance(data, dict):
        index = take_index(data, where, len(inputs), "inputs")
        if inputs[index].categories is not None:
            raise ModelFormatError(f"{where} uses the categorical input {inputs[index].name!r} as a number")
        return Factor(index)
    take_keys(data, where, ("input",), ("equals", "hinge", "step"))
    index = take_index(data["input"], f"{where}.input", len(inputs), "inputs")
    categories = inputs[index].categories
    if len(data) != 2:
        raise ModelFormatError(f"{where} has {len(data) - 1} of equals, hinge, step beside its input; it must have one")
    if "equals" not in data:
        kind = "hinge" if "hinge" in data else "step"
        if categories is not None:
            raise ModelFormatError(f"{where}.{kind} does not go with the categorical input {inputs[index].name!r}")
        knot = number(data[kind], f"{where}.{kind}")
        return Factor(index, hinge=knot) if kind == "hinge" else Factor(index, step=knot)
    if categories is None or data["equals"] not in categories:
        raise ModelFormatError(f"{where}.equals is {shown(data['equals'])}, which is not a category of its input")
    return Factor(index, categories.index(data["equals"]))


def _factor_data(factor: Factor, inputs: tuple[Input, ...]) -> Any:
    if factor.plain:
        return factor.input
    if factor.category is None:
        return {"input": factor.input, "step" if factor.hinge is None else "hinge": factor.knot}
    categories = inputs[factor.input].categories
    assert categories is not None
    return {"input": factor.input, "equals": categories[factor.category]}
