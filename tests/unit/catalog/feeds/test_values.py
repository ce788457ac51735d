"""Cells to values: prices in every notation, numbers, booleans, texts."""

from __future__ import annotations

import datetime
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.feeds.values import (
    MAX_EXACT_INT,
    MAX_LIST,
    MAX_TEXT,
    BadValueError,
    boolean,
    clean_text,
    is_empty,
    json_list,
    number,
    open_value,
    price,
    scalar_text,
    texts,
)


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("52.00 USD", 52.0, "USD"),
        ("USD 52", 52.0, "USD"),
        ("52.00usd", 52.0, "USD"),
        ("$12.99", 12.99, "USD"),
        ("US$ 1,299.00", 1299.0, "USD"),
        ("1.234,50 EUR", 1234.5, "EUR"),
        ("€1.234.567,89", 1234567.89, "EUR"),
        ("12,5 €", 12.5, "EUR"),
        ("1 234,50 €", 1234.5, "EUR"),
        ("1\u202f234,50\u00a0€", 1234.5, "EUR"),
        ("£1,299", 1299.0, "GBP"),
        ("¥1,980", 1980.0, "JPY"),
        ("￥１，９８０", 1980.0, "JPY"),
        ("1980円", 1980.0, "JPY"),
        ("1,980円（税込）", 1980.0, "JPY"),
        ("1.980 JPY", 1980.0, "JPY"),
        ("₹1,29,999.00", 129999.0, "INR"),
        ("CHF 1'299.50", 1299.5, "CHF"),
        ("R$ 99,90", 99.9, "BRL"),
        ("99,- kr", 99.0, ""),
        ("1.234 KWD", 1.234, "KWD"),
        ("0.125 EUR", 0.125, "EUR"),
        ("19.9", 19.9, ""),
        ("0", 0.0, ""),
        (7, 7.0, ""),
        (Decimal("7.25"), 7.25, ""),
        ({"value": "52.00", "currency": "usd"}, 52.0, "USD"),
    ],
)
def test_prices_are_read(written: Any, amount: float, currency: str) -> None:
    """Amount and currency, however the shop's country writes them."""
    assert price(written) == (amount, currency)


@pytest.mark.parametrize(
    "written",
    ["free", "5.00- EUR", "1.234 EUR", "1.234", "12.34.56 USD", "1,23,4 USD", "-5 USD", -5, "52 bananas", "5 USD 6", "",
     True, [5], {"currency": "USD"}, {"value": 5, "currency": 7}, math.inf, "1,2345 USD x"],
)  # fmt: skip
def test_what_is_no_price_is_not_guessed(written: Any) -> None:
    """No amount, a negative one, an unknown currency, or an amount that can be read two ways."""
    with pytest.raises(BadValueError):
        price(written)


@given(st.integers(0, 10**11), st.sampled_from(["{} USD", "EUR {}", "${}", "{}"]))
def test_cents_survive(cents: int, pattern: str) -> None:
    """Any amount in cents comes back exactly, with and without grouping."""
    amount = cents / 100
    assert price(pattern.format(f"{amount:.2f}"))[0] == amount
    assert price(pattern.format(f"{amount:,.2f}"))[0] == amount
    german = f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))
    assert price(pattern.format(german))[0] == amount


@pytest.mark.parametrize(
    ("written", "value"),
    [("12", 12.0), ("-3.5", -3.5), ("1,234", 1234.0), ("1.234", 1.234), ("1e3", 1000.0), ("１２", 12.0), (3, 3.0)],
)
def test_numbers_are_read(written: Any, value: float) -> None:
    """In a column of numbers a dot is a decimal point."""
    assert number(written) == value


@pytest.mark.parametrize("written", ["many", "12 pieces", "1.2.3,4", True, math.inf, "1e999", [1]])
def test_what_is_no_number_is_refused(written: Any) -> None:
    """Words, units, booleans and infinities are no numbers."""
    with pytest.raises(BadValueError):
        number(written)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive(value: float) -> None:
    """Every finite float comes back from the text that Python writes for it."""
    assert number(repr(value)) == value


@pytest.mark.parametrize(
    ("written", "value"), [(True, True), ("TRUE", True), ("Yes", True), ("1", True), (0, False), ("no", False)]
)
def test_booleans_are_read(written: Any, value: bool) -> None:
    """Six spellings, in any case."""
    assert boolean(written) is value


@pytest.mark.parametrize("written", ["maybe", "", 2])
def test_what_is_no_boolean_is_refused(written: Any) -> None:
    """Anything else is an error, not False."""
    with pytest.raises(BadValueError):
        boolean(written)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("7", 7.0), ("-0.5", -0.5), ("0", 0.0), ("-0", 0.0), ("71.50", 71.5), ("123456789012345", 123456789012345.0),
        ("00123", "00123"), ("12345678901234567890", "12345678901234567890"), ("+7", "+7"), ("1e5", "1e5"),
        ("1,234", "1,234"), (".5", ".5"), ("true", True), ("False", False), ("yes", "yes"), ("٣", "٣"), (" a ", "a"),
    ],
)  # fmt: skip
def test_an_unknown_columns_text_is_what_it_looks_like(cell: str, value: Any) -> None:
    """Only canonical decimals and true/false change their type: SKUs, phone numbers and words stay text."""
    read = open_value(cell, typed=False)
    assert read == value
    assert type(read) is type(value)
    assert open_value(cell, typed=True) == cell.strip()


def test_typed_values_keep_their_type() -> None:
    """A number stays a number, unless a float cannot hold it; dates are text."""
    assert open_value(7, typed=True) == 7.0
    assert open_value(MAX_EXACT_INT + 1, typed=True) == str(MAX_EXACT_INT + 1)
    assert open_value(Decimal("1.5"), typed=True) == 1.5
    assert open_value(True, typed=True) is True
    assert open_value(datetime.date(2026, 11, 23), typed=True) == "2026-11-23"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"), (38, "38"), (38.0, "38"), (38.5, "38.5"), (Decimal("38.00"), "38"), (Decimal("1E+2"), "100"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"), (datetime.time(9, 30), "09:30:00"),
    ],
)  # fmt: skip
def test_single_values_have_one_spelling(value: Any, text: str) -> None:
    """A size of 38 is the same text from every format."""
    assert scalar_text(value) == text


@pytest.mark.parametrize("value", [b"bytes", {"a": 1}, ["a"], object()])
def test_what_is_no_single_value_is_refused(value: Any) -> None:
    """Binary data and structures are no texts."""
    with pytest.raises(BadValueError):
        scalar_text(value)


@given(st.text(max_size=50))
def test_clean_text_is_clean(text: str) -> None:
    """No control characters but line ends and tabs, no space around, and cleaning twice changes nothing."""
    cleaned = clean_text(text)
    assert cleaned == clean_text(cleaned).strip()
    assert not any(ord(char) < 32 and char not in "\n\t" for char in cleaned)


def test_caps_refuse_and_do_not_cut() -> None:
    """A text or list over its cap is an error; at the cap it is kept whole."""
    assert len(clean_text("x" * MAX_TEXT)) == MAX_TEXT
    with pytest.raises(BadValueError):
        clean_text("x" * (MAX_TEXT + 1))
    assert len(texts(["x"] * MAX_LIST)) == MAX_LIST
    with pytest.raises(BadValueError):
        texts(["x"] * (MAX_LIST + 1))


def test_undecodable_text_has_a_code_of_its_own() -> None:
    """A lone surrogate stands for a byte that was not text."""
    with pytest.raises(BadValueError) as caught:
        clean_text("caf\udce9")
    assert caught.value.code == "encoding"


@pytest.mark.parametrize("value", [None, "", " \u3000", math.nan, [], (), {}])
def test_nothing_is_nothing(value: Any) -> None:
    """What holds nothing is an absent attribute."""
    assert is_empty(value)


@pytest.mark.parametrize("value", [0, 0.0, False, "0", [None]])
def test_zero_and_false_are_something(value: Any) -> None:
    """Zero is a value."""
    assert not is_empty(value)


@pytest.mark.parametrize(
    ("cell", "value"),
    [('["a", "b"]', ["a", "b"]), ("[1, 2]", [1, 2]), ("[]", []), ("[a]", None), ('[["a"]]', None), ("[sale] Tee", None),
     ("[" * 100_000 + "]", None)],
)  # fmt: skip
def test_a_json_array_in_a_cell_is_a_list(cell: str, value: list[Any] | None) -> None:
    """Only what is JSON of plain entries; other text in brackets is text."""
    assert json_list(cell) == value


def test_lists_lose_what_is_empty() -> None:
    """Empty entries are left out, numbers become texts, nested lists are refused."""
    assert texts(["a", "", None, 7]) == ("a", "7")
    with pytest.raises(BadValueError):
        texts([["a"]])
