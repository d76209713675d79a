"""Names and texts from a table, made safe for a target language."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable

C_RESERVED = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    bool true false null asm and and_eq bitand bitor catch class compl constexpr delete dynamic_cast explicit
    export friend mutable namespace new not not_eq nullptr operator or or_eq private protected public main abs
    reinterpret_cast static_cast template this throw try typeid typename using virtual wchar_t xor xor_eq
    min max round bit byte word boolean high low input output default pi
    """.split()  # noqa: SIM905
)


def identifiers(names: Iterable[str]) -> list[str]:
    """Distinct C and Python identifiers for names, in order.

    Accents are dropped, what no identifier holds becomes ``_``; a reserved word gets a ``_`` behind it; names that
    fall together get ``_2``, ``_3``.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        base = identifier(name)
        unique, count = base, 1
        while unique in taken:
            count += 1
            unique = f"{base}_{count}"
        taken.add(unique)
        found.append(unique)
    return found


def identifier(name: str) -> str:
    """One name as an identifier of C, C++ and Python (lower case)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    clean = "".join(c if c.isalnum() else "_" for c in plain).strip("_").lower() or "input"
    if clean[0].isdigit():
        clean = f"n{clean}"
    clean = clean[:60]
    reserved = (
        clean in C_RESERVED or clean.upper() in C_RESERVED or keyword.iskeyword(clean) or keyword.issoftkeyword(clean)
    )
    return f"{clean}_" if reserved else clean


def c_comment(text: str) -> str:
    """Text that is safe inside ``/* */``: one line of ASCII, and nothing that ends or nests a comment."""
    plain = ascii(text)[1:-1]
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "|")


def c_string(text: str) -> str:
    """A C string literal: UTF-8 bytes, all but plain letters and signs in octal (three digits at most)."""
    safe = set(b" !#$%&'()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")
    return '"' + "".join(chr(b) if b in safe else f"\\{b:03o}" for b in text.encode()) + '"'
