"""What a million rows cost in money, from prices that the user states."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_lasso.errors import DataError
from edge_lasso.measuring.measurement import Figure, Measurement

ROWS = 1e6
KEYS = ("currency", "kwh", "hour")


@dataclass(frozen=True)
class Prices:
    """Prices, in one currency.

    Attributes
    ----------
    currency : str
    kwh : float
        Of a kilowatt-hour; 0 where energy is not to be counted.
    hour : float
        Of an hour of the board's time, bought or written off; 0 where it is not to be counted.
    """

    currency: str
    kwh: float = 0.0
    hour: float = 0.0

    def figure(self, figures: Mapping[str, Figure]) -> Figure:
        """What a million rows cost, of the modelled ``p50_us`` and ``energy_nj`` of one.

        None with a ``reason`` where energy has a price and the board has no figure of its energy.
        """
        time, energy = (figures.get(key, {}).get("value") for key in ("p50_us", "energy_nj"))
        about = {"unit": self.currency, "kind": "modelled"}
        if time is None or (self.kwh > 0.0 and energy is None):
            return {**about, "value": None, "reason": "nothing that can be cited says what this board draws"}
        # 1 us is 1 / 3.6e9 h, 1 nJ is 1 / 3.6e15 kWh
        value = ROWS * (time / 3.6e9 * self.hour + (energy or 0.0) / 3.6e15 * self.kwh)
        return {**about, "value": value, "of": f"{self.kwh:g} a kWh, {self.hour:g} an hour"}


def priced(measurements: Sequence[Measurement], prices: Prices | None) -> tuple[Measurement, ...]:
    """Measurements, the modelled ones with ``price`` where there are prices."""
    if prices is None:
        return tuple(measurements)
    return tuple(
        replace(cost, figures={**cost.figures, "price": prices.figure(cost.figures)})
        if cost.kind == "modelled"
        else cost
        for cost in measurements
    )


def read_prices(path: Path) -> Prices:
    """Read a TOML file with ``currency`` and ``kwh``, ``hour``, or both.

    Raises
    ------
    DataError
        Naming the file and the field.
    """
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as prices: {error}") from None
    unknown = sorted(set(table) - set(KEYS))
    if unknown:
        raise DataError(f"{path}: {unknown[0]} is unknown; allowed are {', '.join(KEYS)}")
    currency = table.get("currency")
    if not isinstance(currency, str) or not currency.strip():
        raise DataError(f'{path}: currency must be a text, such as currency = "EUR"')
    numbers = {key: table[key] for key in ("kwh", "hour") if key in table}
    for key, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise DataError(f"{path}: {key} is {value!r}; it must be a number of 0 or more")
    if not any(numbers.values()):
        raise DataError(f"{path} has no price; state kwh (of a kilowatt-hour), hour (of the board's time), or both")
    return Prices(currency.strip(), **{key: float(value) for key, value in numbers.items()})
