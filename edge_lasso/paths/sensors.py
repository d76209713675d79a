"""What is known of inputs: their cost, the sensor they come from, the sign of their effect, for each column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import numpy as np

from edge_lasso.errors import DataError
from edge_lasso.paths.methods import METHODS, that
from edge_lasso.paths.options import TrainOptions
from edge_lasso.statistics.inputs import Terms


@dataclass(frozen=True)
class Sensors:
    """Sensors that give several inputs, costs, and signs.

    Parameters
    ----------
    members : mapping of str to sequence of str
        Columns of each sensor.
    costs : mapping of str to float
        Of a sensor, or of a column that is a sensor of its own; in any unit, 1 where nothing is given.
    signs : mapping of str to int
        1: the target may only rise with this column, -1: only fall. Of the column itself, not of products with it.
    """

    members: Mapping[str, Sequence[str]] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    signs: Mapping[str, int] = field(default_factory=dict)

    def check(self, columns: Sequence[str], method: str) -> None:
        """Raise a `DataError` at the first thing that is wrong.

        Parameters
        ----------
        columns : sequence of str
            The inputs to choose from.
        method : str
            Of `TrainOptions`.
        """
        owner: dict[str, str] = {}
        for sensor, names in self.members.items():
            if sensor in columns:
                raise DataError(f"--sensor: '{sensor}' is a column; give the sensor another name")
            for name in names:
                _known(name, columns, "--sensor")
                if name in owner:
                    raise DataError(f"--sensor: column '{name}' belongs to '{owner[name]}' and '{sensor}'; choose one")
                owner[name] = sensor
        if self.members and not METHODS[method].groups:
            raise DataError(
                f"--sensor needs --method {' or '.join(that('groups'))}; with '{method}' inputs are chosen one by one"
            )
        for name, cost in self.costs.items():
            if name in owner:
                raise DataError(
                    f"--cost: '{name}' belongs to sensor '{owner[name]}'; give the cost of the sensor instead"
                )
            _known(name, [*columns, *self.members], "--cost")
            if not (math.isfinite(cost) and cost > 0.0):
                raise DataError(f"--cost: '{name}' costs {cost:g}; a cost must be a finite number larger than 0")

        for name in self.signs:
            _known(name, columns, "--sign")

    def on(
        self, options: TrainOptions, columns: Sequence[str], terms: Terms, sources: Mapping[str, str] | None = None
    ) -> TrainOptions:
        """The options with a penalty factor and a group for each column of the statistics.

        A factor is the cost relative to the median of the inputs; a product costs what its dearest input does. For
        method "group", products and indicators of the same sensors are one group.

        Parameters
        ----------
        options : TrainOptions
        columns : sequence of str
            What ``Factor.input`` counts.
        terms : sequence of tuple of Factor
        sources : mapping of str to str, optional
            The column that a derived one is computed from: it costs the same, and belongs to the same sensor.
        """
        origin = [(sources or {}).get(name, name) for name in columns]
        owner = {name: sensor for sensor, names in self.members.items() for name in names}
        bought = [owner.get(name, name) for name in origin]
        read = [tuple(sorted({bought[factor.input] for factor in term})) for term in terms]
        if self.costs:
            prices = [
                self.costs.get(column, self.costs.get(name, 1.0)) for column, name in zip(columns, bought, strict=True)
            ]
            cost = np.array(prices)
            cost /= np.median(cost)
            factors = [float(max(cost[factor.input] for factor in term)) for term in terms]
            options = replace(options, penalty=factors)
        if self.signs:
            alone = [columns[term[0].input] if len(term) == 1 and term[0].category is None else None for term in terms]
            for name in self.signs:
                if name not in alone:
                    raise DataError(f"--sign: '{name}' holds categories; a sign is for a column of numbers")
            options = replace(options, signs=[0 if name is None else self.signs.get(name, 0) for name in alone])
        can = METHODS[options.method]
        if can.by_group or (can.groups and self.members):
            keys = [
                (name, -1) if can.by_group or (len(name) == 1 and name[0] in self.members) else (name, j)
                for j, name in enumerate(read)
            ]
            place = {key: i for i, key in enumerate(dict.fromkeys(keys))}
            options = replace(options, groups=[place[key] for key in keys])
        return options


def parse_sensors(
    sensors: Sequence[str] | None, costs: Sequence[str] | None, signs: Sequence[str] | None = None
) -> Sensors:
    """Sensors from ``NAME:COLUMN,COLUMN``, ``NAME=NUMBER`` and ``NAME=+`` or ``NAME=-`` as typed."""
    members: dict[str, list[str]] = {}
    prices = {}
    for text in sensors or ():
        name, colon, rest = text.partition(":")
        columns = [part.strip() for part in rest.split(",") if part.strip()]
        if not (name.strip() and colon and columns):
            raise DataError(f"--sensor {text!r} is not NAME:COLUMN,COLUMN; for example: --sensor bme280:temp,humidity")
        members.setdefault(name.strip(), []).extend(columns)
    for text in costs or ():
        name, _, amount = text.rpartition("=")
        try:
            prices[name.strip()] = float(amount)
        except ValueError:
            raise DataError(f"--cost {text!r} is not NAME=NUMBER; for example: --cost NOx=10") from None
    ways: dict[str, int] = {}
    for text in signs or ():
        name, _, way = text.rpartition("=")
        if not name.strip() or way.strip() not in ("+", "-"):
            raise DataError(f"--sign {text!r} is not NAME=+ or NAME=-; for example: --sign altitude=-")
        wanted = 1 if way.strip() == "+" else -1
        if ways.setdefault(name.strip(), wanted) != wanted:
            raise DataError(f"--sign: '{name.strip()}' is to be + and -; give one of them, or leave its sign free")
    return Sensors(members, prices, ways)


def _known(name: str, names: Sequence[str], option: str) -> None:
    if name not in names:
        near = get_close_matches(name, names, 1, 0.4)
        hint = f"; the nearest is '{near[0]}'" if near else ""
        raise DataError(f"{option}: '{name}' is not among the inputs to choose from{hint}")
