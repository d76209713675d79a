"""The integer sums of the fixed-point C variant: a line per term or a loop, and what suits AVR."""

from __future__ import annotations

from typing import Any

from .c_layout import Names

# Beyond this many plain terms a loop over a table: 2 bytes a term instead of 14 (Cortex-M0+) or 25 (AVR). Up to here a
# line per term, which is faster: ten take 76 cycles instead of 115 on an RP2040, 414 to 472 instead of 714 on an
# ATmega328P (-Os).
LONGEST_LINE = 32

READ = """
#ifdef __AVR__
#define {P}_READ(from) pgm_read_word(from)
#else
#define {P}_READ(from) (*(from))
#endif
"""
LIFT = """
#ifdef __AVR__
#define {P}_UP(q) ((uint16_t)((uint16_t)(q) + 32768U))
#define {P}_DOWN(q) ((uint16_t)(32767U - (uint16_t)(q)))
#endif
"""


def sum_lines(names: Names, outputs: list[dict[str, Any]]) -> list[str]:
    """The body of ``NAME_predict``."""
    several, loop = len(outputs) > 1, looped(outputs)
    lines = [] if any(output["terms"] for output in outputs) else ["    (void)q;"]
    if loop:
        lines += [f"    const int16_t *coef = {names.prefix}_coefs;", "    uint16_t i;"]
        if _places(names, outputs):
            lines.append(f"    const uint16_t *place = {names.prefix}_places;")
    lines += [] if several else ["    int32_t r;"]
    for m, output in enumerate(outputs):
        r = f"r[{m}]" if several else "r"
        terms = [term for term in output["terms"] if plain(term)]
        start = f"    {r} = INT32_C({output['bias']});"
        if loop:
            lines += [start, *_loop(names, outputs, r, len(terms))]
        elif terms:
            products = [f"INT32_C({term['coef']}) * (int32_t)q[{names.places[term['factors'][0]]}]" for term in terms]
            lines += ["#ifdef __AVR__", *_lifted(names, r, output["bias"], terms, several), "#else", start]
            lines += [*(f"    {r} += {product};" for product in products), "#endif"]
        else:
            lines.append(start)
        for term in output["terms"]:
            lines += [] if plain(term) else _other(names, r, term)
        if output["shift"]:
            lines.append(f"    {r} = {names.prefix}_shift({r}, {output['shift']}U);")
    return [*lines, *([] if several else ["    return r;"])]


def plain(term: dict[str, Any]) -> bool:
    """Whether a term is a 16-bit coefficient times one reading."""
    return len(term["factors"]) == 1 and "when" not in term and -32767 <= term["coef"] <= 32767


def _lifted(names: Names, r: str, bias: int, terms: list[dict[str, Any]], several: bool) -> list[str]:
    """The same sum as AVR computes it best: 16 by 16 bits unsigned, whatever the signs are.

    ``c q = c (q + 2^15) - c 2^15`` and ``-c q = c (2^15 - 1 - q) - c (2^15 - 1)``; the constants go to the start.
    """
    total = bias
    lines = []
    for term in terms:
        size, place = abs(term["coef"]), names.places[term["factors"][0]]
        up = term["coef"] >= 0
        total -= size * (32768 if up else 32767)
        which = "UP" if up else "DOWN"
        lines.append(f"    sum += (uint32_t)UINT16_C({size}) * {names.upper}_{which}(q[{place}]);")
    start = f"sum = UINT32_C({total % 2**32}); /* modulo 2^32 */"
    if several:
        return ["    {", f"        uint32_t {start}", *(f"    {line}" for line in lines),
                f"        {r} = (int32_t)sum;", "    }"]  # fmt: skip
    return [f"    uint32_t {start}", *lines, f"    {r} = (int32_t)sum;"]


def _loop(names: Names, outputs: list[dict[str, Any]], r: str, count: int) -> list[str]:
    if not count:
        return []
    upper = names.upper
    places = bool(_places(names, outputs))
    place = f"{upper}_READ(place)" if places else "i"
    return [
        f"    for (i = 0; i < {count}U; i++) {{",
        f"        {r} += (int32_t)(int16_t){upper}_READ(coef) * (int32_t)q[{place}];",
        "        coef++;",
        *(["        place++;"] if places else []),
        "    }",
    ]


def looped(outputs: list[dict[str, Any]]) -> bool:
    """Whether the plain terms are so many that a loop over tables is better."""
    return sum(plain(term) for output in outputs for term in output["terms"]) > LONGEST_LINE


def _places(names: Names, outputs: list[dict[str, Any]]) -> list[int]:
    """Where the loop finds each reading; nothing where it takes one after another."""
    rows = [[names.places[term["factors"][0]] for term in output["terms"] if plain(term)] for output in outputs]
    if all(row == list(range(len(row))) for row in rows):
        return []
    return [place for row in rows for place in row]


def sum_tables(names: Names, outputs: list[dict[str, Any]]) -> str:
    """Coefficients and places of the plain terms, output after output, where a loop runs over them."""
    if not looped(outputs):
        return ""
    coefs = [term["coef"] for output in outputs for term in output["terms"] if plain(term)]
    tables = [("int16_t", "coefs", coefs), ("uint16_t", "places", _places(names, outputs))]
    text = READ.format(P=names.upper)
    for kind, name, numbers in tables:
        rows = [", ".join(map(str, numbers[i : i + 12])) for i in range(0, len(numbers), 12)]
        table = ",\n    ".join(rows)
        text += (
            f"\nstatic const {kind} {names.prefix}_{name}[] {names.upper}_ROM = {{\n    {table}}};\n" if rows else ""
        )
    return text


def _other(names: Names, r: str, term: dict[str, Any]) -> list[str]:
    """A product of readings, a category, or both."""
    factors = [f"(int32_t)q[{names.places[i]}]" for i in term["factors"]]
    product = " * ".join(factors)
    if term.get("shift"):
        product = f"{names.prefix}_shift({product}, {term['shift']}U)"
    value = f"INT32_C({term['coef']})" + (f" * ({product})" if factors else "")
    when = " && ".join(f"(q[{names.places[i]}] == {category})" for i, category in term.get("when", ()))
    return [f"    if ({when}) {{", f"        {r} += {value};", "    }"] if when else [f"    {r} += {value};"]
