"""Folds: the same for training and for evaluation, by seller, else by style."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import UsageError
from nitari.folds import fold_key, fold_of
from nitari.types import Item


def test_the_fold_is_the_hash_modulo_the_number_of_folds() -> None:
    """Others can compute it from its description alone."""
    assert fold_of("mh01", 5) == int(hashlib.sha256(b"mh01").hexdigest(), 16) % 5


@given(st.text(max_size=50), st.integers(2, 20))
def test_every_name_has_one_fold(key: str, folds: int) -> None:
    """A fold is a number below the number of folds, and the same each time."""
    assert 0 <= fold_of(key, folds) < folds
    assert fold_of(key, folds) == fold_of(key, folds)


def test_folds_are_about_equal() -> None:
    """No fold of a thousand styles is much larger than another."""
    sizes = Counter(fold_of(f"style{number}", 5) for number in range(1000))
    assert min(sizes.values()) > 150


def test_sellers_come_before_styles_and_styles_before_items() -> None:
    """What shares a seller or a style shares the fold; a number in a feed is the text that it shows."""
    assert fold_key(Item("a", ("a.jpg",), group_id="g", attributes={"seller_id": "204"})) == "204"
    assert fold_key(Item("a", ("a.jpg",), group_id="g", attributes={"seller_id": 204.0})) == "204"
    assert fold_key(Item("a", ("a.jpg",), group_id="g", attributes={"seller_id": ""})) == "g"
    assert fold_key(Item("a", ("a.jpg",))) == "a"


def test_one_fold_is_none() -> None:
    """There is nothing to train on beside a single fold."""
    with pytest.raises(UsageError, match="1 folds"):
        fold_of("a", 1)
