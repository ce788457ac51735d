"""Columns give back what was put into them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.codec import (
    decode_attributes,
    decode_features,
    decode_texts,
    decode_vectors,
    encode_attributes,
    encode_features,
    encode_texts,
    encode_vector,
)
from nitari.errors import UsageError
from nitari.types import AttributeValue
from support.catalogs import DIM, features_of, vector_of

values = st.one_of(st.text(), st.floats(allow_nan=False), st.booleans(), st.lists(st.text(), max_size=4).map(tuple))


@given(attributes=st.dictionaries(st.text(max_size=20), values, max_size=6))
def test_attributes_come_back(attributes: dict[str, AttributeValue]) -> None:
    """Any attributes come back equal in value and in type, and their text does not depend on their order."""
    text = encode_attributes(attributes)
    back = decode_attributes(text)
    assert back == attributes
    assert {name: type(value) for name, value in back.items()} == {name: type(v) for name, v in attributes.items()}
    assert encode_attributes(dict(reversed(attributes.items()))) == text


def test_whole_numbers_are_numbers() -> None:
    """An int that slipped through the types is kept as the float that it equals; True is not 1."""
    back = decode_attributes(encode_attributes({"price": 52, "new": True}))
    assert (type(back["price"]), type(back["new"])) == (float, bool)


@given(texts=st.lists(st.text(), max_size=5))
def test_texts_come_back(texts: list[str]) -> None:
    """Any list of texts comes back."""
    assert decode_texts(encode_texts(texts)) == tuple(texts)


def test_vectors_are_little_endian_halves() -> None:
    """A stored vector means the same on every machine."""
    assert encode_vector(np.array([1.0, -2.0], dtype=np.float32)) == b"\x00\x3c\x00\xc0"
    back = decode_vectors([encode_vector(vector_of("a")), encode_vector(vector_of("b"))], DIM)
    assert back.dtype == np.float32
    assert back.shape == (2, DIM)
    assert np.allclose(back, [vector_of("a"), vector_of("b")], atol=1e-3)
    assert np.allclose(np.linalg.norm(back, axis=1), 1, atol=1e-3)


def test_features_come_back() -> None:
    """Features come back but for fp16, and are equal as rows when encoded again."""
    rows = encode_features(features_of("d", views=2), DIM)
    back = decode_features(rows, DIM)
    assert (back.width, back.height) == (601, 800)
    assert [view.region.label for view in back.views] == ["product", "whole"]
    assert encode_features(back, DIM) == rows
    bare = replace(features_of("d"), lowlevel=None, regions=())
    assert decode_features(encode_features(bare, DIM), DIM).lowlevel is None


def test_bad_features_are_refused() -> None:
    """No view, another width, or a number that is none."""
    with pytest.raises(UsageError, match="no view"):
        encode_features(replace(features_of("d"), views=()), DIM)
    with pytest.raises(UsageError, match=rf"\({DIM},\), expected \({DIM - 1},\)"):
        encode_features(features_of("d"), DIM - 1)
    features = features_of("d")
    bad = replace(features.views[0], vector=np.full(DIM, np.nan, dtype=np.float32))
    with pytest.raises(UsageError, match="finite"):
        encode_features(replace(features, views=(bad,)), DIM)
