"""Texts with ``@WORDS@`` in them."""

from __future__ import annotations

import re


def filled(text: str, words: dict[str, str]) -> str:
    """A text with each ``@WORD@`` replaced, once: what is put in is not looked at again."""
    return re.sub("@([A-Z_]+)@", lambda match: words[match[1]], text)
