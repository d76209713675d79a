"""Names and texts from a table, made safe for a target language."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable

# Keywords of C99, C11, C23 and C++23, what compilers predefine in lower case, and Arduino's macros and types.
C_RESERVED = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    alignas alignof bool constexpr false nullptr static_assert thread_local true typeof typeof_unqual
    and and_eq asm atomic_cancel atomic_commit atomic_noexcept bitand bitor catch char16_t char32_t char8_t class
    co_await co_return co_yield compl concept consteval constinit const_cast decltype delete dynamic_cast explicit
    export friend mutable namespace new noexcept not not_eq operator or or_eq private protected public reflexpr
    reinterpret_cast requires static_cast synchronized template this throw try typeid typename using virtual wchar_t
    xor xor_eq
    linux unix i386 arm mips sun vax near far interrupt errno stdin stdout stderr null main nan infinity eof
    min max abs round sq bit byte word boolean high low input output pi lsbfirst msbfirst change falling rising
    radians degrees constrain interrupts nointerrupts serial
    """.split()  # noqa: SIM905
)
# An artifact's name becomes NAME.h, NAME.py and a CMake target; these would hide a header, a module or a target.
FILE_RESERVED = frozenset(
    """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype arduino avr sys
    all clean help install package test
    """.split()  # noqa: SIM905
)

# What dropping accents leaves unread: letters that are written with two, Greek, Cyrillic, and signs of units.
LETTERS = dict(
    pair.split(":")
    for pair in """
    ä:ae ö:oe ü:ue ß:ss æ:ae ø:oe œ:oe å:aa đ:d ð:d ł:l þ:th ı:i ŋ:ng µ:u Ω:Ohm
    α:a β:b γ:g δ:d ε:e ζ:z η:i θ:th ι:i κ:k λ:l μ:m ν:n ξ:x ο:o π:p ρ:r σ:s ς:s τ:t υ:y φ:f χ:ch ψ:ps ω:o
    а:a б:b в:v г:g д:d е:e ё:yo ж:zh з:z и:i й:y к:k л:l м:m н:n о:o п:p р:r с:s т:t у:u ф:f х:kh ц:ts ч:ch ш:sh
    щ:shch ъ: ы:y ь: э:e ю:yu я:ya і:i ї:yi є:ye ґ:g
    """.split()  # noqa: SIM905
)
SIGNS = {"°": "deg", "–": "-", "—": "-", "−": "-", "→": "->", "·": ".", "×": "x", "‰": "permille", "€": "EUR", "’": "'"}


def is_artifact_name(name: str) -> bool:
    """Whether a name can be the prefix of files and symbols in every target language."""
    plain = name.isascii() and name.isidentifier() and not name.startswith("_")
    return plain and name.lower() not in FILE_RESERVED and not keyword.iskeyword(name)


def identifiers(names: Iterable[str]) -> list[str]:
    """Distinct C and Python identifiers for names, in order.

    They are transliterated (`ascii_text`), what no identifier holds becomes ``_``; a reserved word gets a ``_`` behind
    it; names that fall together get ``_2``, ``_3``.
    """
    texts: list[str] = []
    taken: set[str] = set()
    for name in names:
        base = identifier(name)
        unique, count = base, 1
        while unique in taken:
            count += 1
            unique = f"{base}_{count}"
        taken.add(unique)
        texts.append(unique)
    return texts


def identifier(name: str) -> str:
    """One name as an identifier of C, C++ and Python (lower case)."""
    plain = "".join(_latin(c) for c in unicodedata.normalize("NFC", name))
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in plain).split()
    clean = "_".join(words).lower() or "input"
    if clean[0].isdigit():
        clean = f"n{clean}"
    clean = clean[:60]
    reserved = (
        clean in C_RESERVED or clean.upper() in C_RESERVED or keyword.iskeyword(clean) or keyword.issoftkeyword(clean)
    )
    return f"{clean}_" if reserved else clean


def ascii_text(text: str) -> str:
    """Text for readers of ASCII: transliterated (``Küche``: ``Kueche``, ``°C``: ``degC``), the rest as ``<U+65E5>``."""
    return "".join(
        SIGNS.get(c) or _latin(c) or ("" if unicodedata.combining(c) else f"<U+{ord(c):04X}>")
        for c in unicodedata.normalize("NFC", text)
    )


def _latin(character: str) -> str:
    """A character in ASCII letters and signs; empty where it has none."""
    if character.isascii():
        return character if character.isprintable() else " "
    small = LETTERS.get(character, LETTERS.get(character.lower()))
    if small is not None:
        return small.capitalize() if character.isupper() else small
    plain = (c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return "".join(c if c.isascii() else LETTERS.get(c, LETTERS.get(c.lower(), "")) for c in plain)


def c_comment(text: str) -> str:
    """Text that is safe inside ``/* */``: one line of ASCII, and nothing that ends or nests a comment."""
    plain = ascii_text(text)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "|")


def c_string(text: str) -> str:
    """A C string literal: UTF-8 bytes, all but plain letters and signs in octal (three digits at most)."""
    safe = set(b" !#$%&'()*+,-./0123456789:;<=>@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~")
    return '"' + "".join(chr(b) if b in safe else f"\\{b:03o}" for b in text.encode()) + '"'
