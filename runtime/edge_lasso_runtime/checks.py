"""Reading JSON strictly: the text, and each value that a file must hold, or one error that names the field."""

from __future__ import annotations

from .errors import ModelFormatError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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


def unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's pairs as a dictionary; a key that stands twice is refused."""
    data = dict(pairs)
    if len(data) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise ModelFormatError(f"key {shown(key)} stands twice in one object")
            seen.add(key)
    return data


def refuse_constant(name: str) -> Any:
    """Refuse NaN and infinities, which JSON has not."""
    raise ModelFormatError(f"{name} is not allowed; numbers must be finite")


def take_keys(data: Any, where: str, required: tuple[str, ...], optional: tuple[str, ...]) -> None:
    """Refuse an object without the required keys, or with others than the optional ones."""
    prefix = where + "." if where else ""
    take_object(data, where or "the model")
    for key in required:
        if key not in data:
            raise ModelFormatError(f"{prefix}{key} is missing")
    for key in data:
        if key not in required and key not in optional:
            raise ModelFormatError(f"{prefix}{str(key)[:60]} is unknown; allowed are {', '.join(required + optional)}")


def take_object(data: Any, where: str) -> dict[str, Any]:
    """An object, or the error that names the field."""
    if not isinstance(data, dict):
        raise ModelFormatError(f"{where} is {shown(data)}; it must be an object")
    return data


def take_list(data: Any, where: str) -> list[Any]:
    """A list, or the error that names the field."""
    if not isinstance(data, list):
        raise ModelFormatError(f"{where} is {shown(data)}; it must be a list")
    return data


def number(data: Any, where: str) -> float:
    """A finite float, or the error that names the field."""
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise ModelFormatError(f"{where} is {shown(data)}; it must be a number")
    try:
        value = float(data)
    except OverflowError:
        value = float("inf")
    if not -1.7976931348623157e308 <= value <= 1.7976931348623157e308:
        raise ModelFormatError(f"{where} is {value}; it must be finite")
    return value


def check_finite(data: Any, where: str) -> None:
    """Refuse numbers beyond floats (``1e999``) anywhere in what is carried along unread."""
    waiting = [data]
    for entry in waiting:
        if isinstance(entry, dict):
            waiting += entry.values()
        elif isinstance(entry, list):
            waiting += entry
        elif isinstance(entry, float):
            number(entry, f"a number in {where}")


def take_index(data: Any, where: str, size: int, of: str) -> int:
    """A position among `size` entries, or the error that names the field."""
    if isinstance(data, bool) or not isinstance(data, int):
        raise ModelFormatError(f"{where} is {shown(data)}; it must be an index into {of}")
    if not 0 <= data < size:
        raise ModelFormatError(f"{where} is {shown(data)}; {of} has {size} entries, counted from 0")
    return data


def take_text(data: Any, where: str, empty: bool = False) -> str:
    """Text that can be written as UTF-8, or the error that names the field."""
    if not isinstance(data, str) or not (data or empty):
        raise ModelFormatError(f"{where} is {shown(data)}; it must be {'a' if empty else 'a non-empty'} string")
    try:
        data.encode("utf-8")
    except UnicodeEncodeError:
        raise ModelFormatError(f"{where} is {shown(data)}; half of a surrogate pair is not text") from None
    return data


def take_names(data: Any, where: str) -> tuple[str, ...]:
    """Different names, or the error that names the field."""
    names = tuple(take_text(chunk, f"{where}[{i}]") for i, chunk in enumerate(take_list(data, where)))
    check_distinct(names, where, "name")
    return names


def take_choice(data: Any, where: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words, or the error that names the field."""
    if data not in allowed:
        raise ModelFormatError(f"{where} is {shown(data)}; allowed are {', '.join(allowed)}")
    return str(data)


def check_distinct(values: Any, where: str, what: str) -> None:
    """Refuse values that repeat."""
    seen = set()
    for i, value in enumerate(values):
        if value in seen:
            raise ModelFormatError(f"{where}[{i}] repeats the {what} {shown(value)}")
        seen.add(value)


def shown(data: Any) -> str:
    """A value as messages show it: short, whatever it is."""
    try:
        text = repr(data)
    except (ValueError, RecursionError):
        text = f"a {type(data).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def pretty_json(data: Any, depth: int, dumps: Callable[..., str]) -> str:
    """JSON that a person reads: one line for what is short."""
    if isinstance(data, (dict, list)) and data and (depth < 1 or _nested(data)):
        pad = "  " * (depth + 1)
        if isinstance(data, dict):
            items = [f"{dumps(key)}: {pretty_json(value, depth + 1, dumps)}" for key, value in data.items()]
        else:
            items = [pretty_json(value, depth + 1, dumps) for value in data]
        opening, closing = "{}" if isinstance(data, dict) else "[]"
        return f"{opening}\n{pad}" + f",\n{pad}".join(items) + f"\n{'  ' * depth}{closing}"
    return dumps(data, allow_nan=False)


def _nested(data: Any) -> bool:
    values = data.values() if isinstance(data, dict) else data
    return any(isinstance(value, (dict, list)) and _long(value) for value in values)


def _long(data: Any) -> bool:
    return isinstance(data, dict) or any(isinstance(value, dict) for value in data)


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
