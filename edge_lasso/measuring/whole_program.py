"""What a quantized C artifact takes from readings to values: `encode`, the integers' sums, and back.

The sums alone cost a fraction of it, and where readings are floating point, nobody can have them alone.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from edge_lasso.errors import BoardError

SYMBOL = "from_readings"
PROGRAM = """#include "{name}.h"
int32_t {symbol}(const {kind} *x, {P}_REAL *y);
int32_t {symbol}(const {kind} *x, {P}_REAL *y)
{{
    int16_t q[{P}_INPUTS];
    int32_t r[{P}_OUTPUTS];
    const uint32_t status = {name}_{encode}(x, q);
{sums}
    return (int32_t)status;
}}
"""
ONE = """    r[0] = {name}_predict(q);
    y[0] = {name}_decode(r[0]);"""
SEVERAL = """    {name}_predict(q, r);
    for (int m = 0; m < {P}_OUTPUTS; m++) {{
        y[m] = {name}_decode(r[m], m);
    }}"""


def whole_program(about: Mapping[str, Any]) -> dict[str, bytes]:
    """The function `SYMBOL`, of readings (or of counts, where every sensor delivers them) and room for values.

    Parameters
    ----------
    about : mapping
        The `artifact.json` of a C artifact, variant ``fixed``.
    """
    words = {"name": about["name"], "P": about["name"].upper(), "symbol": SYMBOL}
    counts = about.get("raw_counts", False)
    text = PROGRAM.format(
        **words, kind="int32_t" if counts else f"{words['P']}_REAL", encode="encode_counts" if counts else "encode",
        sums=(SEVERAL if len(about["outputs"]) > 1 else ONE).format(**words),
    )  # fmt: skip
    return {"from_readings.c": text.encode()}


def whole_arguments(about: Mapping[str, Any]) -> list[bytes]:
    """A row of float readings, or of counts, and room for the values."""
    row = complete_row(about)
    if about.get("raw_counts", False):
        readings = struct.pack(f"<{len(row)}i", *[0] * len(row))
    else:
        readings = struct.pack(f"<{len(row)}f", *row)
    return [readings, bytes(4 * len(about["outputs"]))]


def complete_row(about: Mapping[str, Any]) -> list[float]:
    """The first test vector in which nothing is missing."""
    complete: list[list[float]] = [vector["row"] for vector in about["self_test"] if None not in vector["row"]]
    if not complete:
        raise BoardError("the artifact carries no complete test vector; export it again")
    return complete[0]
