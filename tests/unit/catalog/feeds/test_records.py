"""What messages quote, and how undecodable names are spelled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.feeds.records import SHOWN, safe, shown


@given(st.one_of(st.text(), st.integers(), st.lists(st.text()), st.binary()))
def test_shown_is_short_and_printable(value: object) -> None:
    """Whatever a cell holds, quoting it neither floods nor garbles a terminal."""
    assert len(shown(value)) <= SHOWN + 1
    assert shown(value).isprintable()


@given(st.text(st.characters(codec=None, categories=["Cs", "L", "N"])))
def test_safe_text_can_be_stored(text: str) -> None:
    """Undecodable bytes are spelled out; proper text stays as it is."""
    assert safe(text).encode().decode() == safe(text)
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert safe(text) == text
