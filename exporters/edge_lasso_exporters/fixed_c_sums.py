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
SIGNED = """
/* What a sum modulo 2^32 stands for: GCC and Clang define the cast so (GCC manual, 4.5), others need not. */
#ifdef __GNUC__
#define {P}_SIGNED(sum) ((int32_t)(sum))
#else
#define {P}_SIGNED(sum) (((sum) > UINT32_C(0x7FFFFFFF)) ? (-(int32_t)(~(sum)) - 1) : (int32_t)(sum))
#endif
"""
LIFT = """
#ifdef __AVR__
#define {P}_UP(q) ((uint16_t)((uint16_t)(q) + 32768U))
#define {P}_DOWN(q) ((uint16_t)(32767U - (uint16_t)(q)))
#endif
"""


def sum_lines(names: Names, outputs: list[dict[str, Any]]) -> list[str]:
    """The body of ``NAME_predict``: sums modulo 2^32, which within declared ranges are no others."""
    several, loop = len(outputs) > 1, looped(outputs)
    lines = [] if any(output["terms"] for output in outputs) else ["    (void)q;"]
    if loop:
        lines += [f"    const int16_t *coef = {names.prefix}_coefs;", "    uint16_t i;"]
        if _places(names, outputs):
            lines.append(f"    const uint16_t *place = {names.prefix}_places;")
    lines.append("    uint32_t sum;")
    for m, output in enumerate(outputs):
        terms = [term for term in output["terms"] if plain(term)]
        start = f"    sum = {_modulo(output['bias'])};"
        if loop:
            lines += [start, *_loop(names, outputs, len(terms))]
        elif terms:
            products = [f"INT32_C({term['coef']}) * (int32_t)q[{names.places[term['factors'][0]]}]" for term in terms]
            lines += ["#ifdef __AVR__", *_lifted(names, output["bias"], terms), "#else", start]
            lines += [*(f"    sum += (uint32_t)({product});" for product in products), "#endif"]
        else:
            lines.append(start)
        for term in output["terms"]:
            lines += [] if plain(term) else _other(names, term)
        value = f"{names.prefix}_shift(sum, {output['shift']}U)" if output["shift"] else f"{names.upper}_SIGNED(sum)"
        lines.append(f"    r[{m}] = {value};" if several else f"    return {value};")
    return lines


def _modulo(value: int) -> str:
    return f"UINT32_C({value % 2**32})" + (f" /* {value} */" if value < 0 else "")


def plain(term: dict[str, Any]) -> bool:
    """Whether a term is a 16-bit coefficient times one reading."""
    return len(term["factors"]) == 1 and not {"when", "over"} & term.keys() and -32767 <= term["coef"] <= 32767


def _lifted(names: Names, bias: int, terms: list[dict[str, Any]]) -> list[str]:
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
    return [f"    sum = {_modulo(total)};", *lines]


def _loop(names: Names, outputs: list[dict[str, Any]], count: int) -> list[str]:
    if not count:
        return []
    upper = names.upper
    places = bool(_places(names, outputs))
    place = f"{upper}_READ(place)" if places else "i"
    return [
        f"    for (i = 0; i < {count}U; i++) {{",
        f"        sum += (uint32_t)((int32_t)(int16_t){upper}_READ(coef) * (int32_t)q[{place}]);",
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


def _other(names: Names, term: dict[str, Any]) -> list[str]:
    """A product of readings, a category, or both; a line or a constant above a count."""
    product = " * ".join(f"(uint32_t)q[{names.places[i]}]" for i in term["factors"])
    if term.get("shift"):
        product = f"(uint32_t){names.prefix}_shift({product}, {term['shift']}U)"
    value = f"UINT32_C({term['coef'] % 2**32})" + (f" * ({product})" if product else "")
    value = f"({value}) + UINT32_C({term['plus'] % 2**32})" if term.get("plus") else value
    conditions = [f"(q[{names.places[i]}] == {category})" for i, category in term.get("when", ())]
    if "over" in term:
        conditions.append(f"q[{names.places[term['over'][0]]}] > {term['over'][1]}")
    when = " && ".join(conditions)
    return [f"    if ({when}) {{", f"        sum += {value};", "    }"] if when else [f"    sum += {value};"]
