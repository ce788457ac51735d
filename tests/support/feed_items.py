"""Strategies for items that any feed format can carry."""

from __future__ import annotations

from hypothesis import strategies as st

from nitari.types import AttributeValue, Item, is_printable_id

_CHARACTERS = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"])
# A cell that is a JSON array is a list, so a text that starts like one is left to a test of its own.
_TEXT = st.text(st.one_of(st.sampled_from(",;|\t\"'<&>]\u2028 "), _CHARACTERS), max_size=20).map(str.strip)
_ID = _TEXT.map(lambda text: text.strip("\ufeff\u200b\u200e\u200f\u2060").strip()).filter(
    lambda text: bool(text) and text.strip("\ufeff\u200b\u200e\u200f\u2060") == text and is_printable_id(text)
)
_WORDS = _TEXT.filter(lambda text: bool(text) and not text.startswith("["))
_LINK = st.builds("images/{}.jpg".format, st.text("abcxyz赤靴-_ ", min_size=1, max_size=6)).map(
    lambda link: link.replace(" .", ".")
)
_NUMBER = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
_ATTRIBUTES: st.SearchStrategy[dict[str, AttributeValue]] = st.fixed_dictionaries(
    {},
    optional={
        "brand": _WORDS,
        "description": st.lists(_WORDS, min_size=1, max_size=3).map("\n".join),
        "price": st.integers(0, 10**9).map(lambda cents: cents / 100),
        "quantity": _NUMBER,
        "adult": st.booleans(),
        "organic": st.booleans(),
        "labels": st.lists(_WORDS, min_size=2, max_size=4).map(tuple),
    },
)


def items() -> st.SearchStrategy[list[Item]]:
    """A few items with different ids."""
    item = st.builds(
        Item,
        _ID,
        st.lists(_LINK, min_size=1, max_size=4, unique=True).map(tuple),
        _TEXT,
        _ID,
        _ATTRIBUTES,
    )
    return st.lists(item, min_size=1, max_size=5, unique_by=lambda item: item.item_id)
