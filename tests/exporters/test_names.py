"""Names and texts made safe for target languages. (Compilers judge them in the tests of each target.)"""

import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_lasso_exporters.names import (
    C_RESERVED,
    ascii_text,
    c_comment,
    c_string,
    identifier,
    identifiers,
    is_artifact_name,
)


@pytest.mark.parametrize(("name", "wanted"), [
    ("Dongsi.PM2.5", "dongsi_pm2_5"), ("int", "int_"), ("größe", "groesse"), ("Küche (°C)", "kueche_c"), ("7up", "n7up"), ("", "input_"),
    ("日本", "input_"), ("lambda", "lambda_"), ("default", "default_"), ("x" * 500, "x" * 60), ("A", "a"),
    ("Linux", "linux_"), ("__x__", "x"), ("PI", "pi_"), ("co_await", "co_await_"), ("a\x00b", "a_b"), ("²", "n2"),
])  # fmt: skip
def test_identifier(name, wanted):
    assert identifier(name) == wanted


@pytest.mark.parametrize(("text", "wanted"), [
    ("Küche", "Kueche"), ("ÄÖÜ", "AeOeUe"), ("°C", "degC"), ("µg/m³", "ug/m3"), ("kΩ", "kOhm"), ("Straße – links", "Strasse - links"),
    ("Температура", "Temperatura"), ("Θερμοκρασία", "Thermokrasia"), ("u\u0308", "ue"), ("日", "<U+65E5>"), ("a\u202eb", "a<U+202E>b"),
    ("a\nb", "a b"), ("Tiếng Việt", "Tieng Viet"),
])  # fmt: skip
def test_text_for_readers_of_ascii(text, wanted):
    assert ascii_text(text) == wanted


def test_names_that_fall_together_are_told_apart():
    assert identifiers(["a b", "a.b", "a_b", "a_b_2", "A B"]) == ["a_b", "a_b_2", "a_b_3", "a_b_2_2", "a_b_4"]


@given(st.lists(st.text(max_size=80), max_size=12))
def test_identifiers_are_valid_and_distinct(names):
    found = identifiers(names)
    assert len({name.lower() for name in found}) == len(names)
    for name in found:
        assert name.isascii()
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert name not in C_RESERVED
        assert len(name) < 80
    assert identifiers(names) == found


@given(st.text())
def test_a_comment_stays_one(text):
    found = c_comment(text)
    assert found.isascii()
    assert found.isprintable()
    for ending in ("*/", "/*", "??", "\\"):
        assert ending not in found


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_string_reads_back(text):
    found = c_string(text)
    inner = found[1:-1]
    assert found[0] == found[-1] == '"'
    assert '"' not in inner
    assert "?" not in inner  # no trigraphs
    assert inner.encode().decode("unicode_escape").encode("latin-1").decode() == text


@pytest.mark.parametrize("name", ["model", "pm25", "Air_2", "double", "x"])
def test_artifact_name(name):
    assert is_artifact_name(name)


@pytest.mark.parametrize(
    "name", ["", "my model", "7up", "größe", "a-b", "../x", "class", "math", "STDINT", "Arduino", "_x", "test", "a.b"]
)
def test_no_artifact_name(name):
    assert not is_artifact_name(name)
