"""How databases write numbers, names and strings."""

from __future__ import annotations

import math
from collections.abc import Sequence


class Dialect:
    """What differs from database to database."""

    def __init__(self, variant: str) -> None:
        self.sqlite = variant == "sqlite"
        self.stops = variant == "postgres"  # where a product underflows
        self.type = {"sqlite": "REAL", "duckdb": "DOUBLE", "postgres": "DOUBLE PRECISION"}[variant]

    def number(self, value: float) -> str:
        """A constant that is read as exactly this binary64."""
        if not self.sqlite:
            return f"CAST('{value!r}' AS {self.type})"
        if value == int(value) and abs(value) < 2.0**53:
            return f"({value:.1f})" if value < 0.0 else f"{value:.1f}"
        mantissa, exponent = math.frexp(value)
        whole, power = int(mantissa * 2.0**53), exponent - 53
        sign = "*" if power > 0 else "/"
        steps = [62] * (abs(power) // 62) + [abs(power) % 62]
        return f"({whole}.0{''.join(f' {sign} {2**step}.0' for step in steps if step)})"

    def real(self, column: str) -> str:
        """A column in binary64."""
        return column if self.sqlite else f"CAST({column} AS {self.type})"

    def largest(self, values: Sequence[str]) -> str:
        """The largest of several."""
        return f"{'max' if self.sqlite else 'greatest'}({', '.join(values)})"


def quoted(name: str) -> str:
    """An identifier, whatever it is made of."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string."""
    return "'" + value.replace("'", "''") + "'"
