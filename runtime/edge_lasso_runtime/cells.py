"""What a cell of a table says: a number, nothing, or something else; the rule is in docs/reference/tables.md."""

from __future__ import annotations

MISSING = frozenset((
    "", "na", "n/a", "<na>", "null", "none", "nan", "-nan", "nat", "?", "-", "--", ".", "unavailable", "unknown",
    "error", "#n/a", "#div/0!", "#value!", "#num!", "#ref!",
))  # fmt: skip
"""Marks of a reading that is missing, in lower case, in a column of numbers or times."""
ORDINARY = frozenset(("-", "--", ".", "unknown", "error"))
"""Those that a column of categories may hold as a value."""
TRUE = frozenset(("true", "yes", "on", "open"))
FALSE = frozenset(("false", "no", "off", "closed"))
GROUPS = ".,' \u2019\u00a0\u202f\u2009"
"""Marks between thousands."""
UNITS = frozenset((
    "°C", "°F", "K", "%", "%RH", "Pa", "hPa", "kPa", "MPa", "bar", "mbar", "psi", "V", "mV", "kV", "A", "mA", "kA", "W",
    "kW", "MW", "VA", "kVA", "Wh", "kWh", "MWh", "Hz", "kHz", "MHz", "rpm", "1/min", "m", "mm", "cm", "km", "µm", "um",
    "m/s", "km/h", "mph", "l", "L", "l/min", "L/min", "l/h", "L/h", "m3/h", "m³/h", "m³", "m3", "ppm", "ppb", "µg/m³",
    "µg/m3", "ug/m3", "mg/m3", "mg/m³", "g/m³", "g/m3", "lx", "lux", "klx", "dB", "dB(A)", "dBm", "s", "ms", "µs", "us",
    "min", "h", "d", "kg", "g", "t", "N", "Nm", "W/m²", "W/m2", "J", "kJ", "Ohm", "Ω", "kΩ", "mm/h", "mm/s", "m/s²",
    "m/s2", "pH", "°", "deg", "rad", "cd", "bpm",
))  # fmt: skip
"""Units that are taken off a column's name when they stand behind it in brackets."""


def number(text: str, decimal: str = ".") -> float | None:
    """A cell of a column of numbers.

    Parameters
    ----------
    text : str
    decimal : {".", ","}
        The decimal mark; the other one, a space or an apostrophe may stand between thousands, a per cent sign behind.

    Returns
    -------
    float or None
        None for a mark of a missing reading; 1 and 0 for words such as on and off; infinite as written.

    Raises
    ------
    ValueError
        It is none of these.
    """
    text = text.strip()
    if decimal == "." or not ("." in text or "," in text):
        try:
            value = float(text)
        except ValueError:
            pass
        else:
            if "_" in text or not text.isascii():
                raise ValueError(text)
            return value if value == value else None
    text = text.replace("\u2212", "-")
    word = text.lower()
    if word in MISSING:
        return None
    if word in TRUE:
        return 1.0
    if word in FALSE:
        return 0.0
    for mark in (decimal, "," if decimal == "." else "."):
        plain = _plain(text.rstrip("% "), mark)
        if plain is not None:
            return float(plain)
    raise ValueError(text)


def _plain(text: str, decimal: str) -> str | None:
    """A number without marks between thousands and with a decimal point; None if it is none."""
    sign = text[:1] if text[:1] in ("+", "-") else ""
    whole, mark, rest = text[len(sign) :].partition(decimal)
    if not whole and not rest:
        return None
    fraction, power, exponent = rest.replace("E", "e").partition("e")
    if not mark:
        whole, power, exponent = whole.replace("E", "e").partition("e")
    between = [group for group in GROUPS if group != decimal and group in whole]
    if len(between) == 1:
        first, *others = whole.split(between[0])
        if not 1 <= len(first) <= 3 or any(len(other) != 3 for other in others):
            return None
        whole = "".join([first, *others])
    digits = whole + fraction + (exponent[1:] if exponent[:1] in ("+", "-") else exponent)
    if not (digits.isascii() and digits.isdigit()) or (power and not exponent.lstrip("+-")):
        return None
    return f"{sign}{whole or '0'}.{fraction or '0'}{power}{exponent}"


def decimal_mark(cells: list[str], delimiter: str) -> str:
    """The decimal mark of a file, from cells of its first rows.

    A comma is one where it cannot stand between thousands (``21,5``, ``1.234,56``), and, unless commas separate the
    columns, where no point in the file is one.
    """
    comma = maybe = False
    for text in cells:
        text = text.strip().rstrip("% ").replace("\u2212", "-")
        if not text or text[-1:] not in "0123456789" or ("," not in text and "." not in text):
            continue
        if "," not in text:
            if _plain(text, ".") is not None and _plain(text, ",") is None:
                return "."
        elif _plain(text, ".") is None:
            comma = comma or _plain(text, ",") is not None
        elif _plain(text, ",") is None:
            return "."
        else:
            maybe = True
    return "," if comma or (maybe and delimiter != ",") else "."


def split_unit(name: str) -> tuple[str, str]:
    """A column's name without the unit behind it, and the unit: ``Temp (°C)``, ``Power [kW]``."""
    name = name.strip()
    if name[-1:] in (")", "]"):
        head, _, unit = name[:-1].rpartition("(" if name[-1] == ")" else "[")
        if name.endswith("dB(A))"):
            head, unit = name[: name.rindex("(dB(A))")], "dB(A)"
        if unit.strip() in UNITS and head.strip():
            return head.strip(), unit.strip()
    return name, ""


def split_units(names: list[str]) -> tuple[list[str], list[str]]:
    """The names of a header without units, and the units; as they are where two would become the same."""
    pairs = [split_unit(name) for name in names]
    short = [name for name, _ in pairs]
    if len(set(short)) < len(set(names)):
        return names, [""] * len(names)
    return short, [unit for _, unit in pairs]
