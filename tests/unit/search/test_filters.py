"""Filters: what parses, to what, and how mistakes are named."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import FilterError
from nitari.search.filters import (
    EVERYTHING,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_TEXT,
    MAX_VALUES,
    And,
    Compare,
    Contains,
    Exists,
    Not,
    OneOf,
    Or,
    Prefix,
    attribute_name,
    parse_filter,
)
from support.filters import filters


@pytest.mark.parametrize(
    ("document", "node"),
    [
        ({}, EVERYTHING),
        ({"color": "red"}, OneOf("color", ("red",))),
        ({"price": 10}, OneOf("price", (10.0,))),
        ({"sale": True}, OneOf("sale", (True,))),
        ({"color": ["red", "blue", "red"]}, OneOf("color", ("blue", "red"))),
        ({"color": {"in": ["red"]}}, OneOf("color", ("red",))),
        ({"color": {"ne": "red"}}, Not(OneOf("color", ("red",)))),
        ({"price": {"gte": 10, "lt": 50}}, And((Compare("price", "gte", 10.0), Compare("price", "lt", 50.0)))),
        ({"product_type": {"prefix": "Apparel > "}}, Prefix("product_type", "Apparel > ")),
        ({"title": {"contains": "STRASSE"}}, Contains("title", "strasse")),
        ({"brand": {"exists": False}}, Not(Exists("brand"))),
        ({"not": {"not": {"brand": "x"}}}, OneOf("brand", ("x",))),
        ({"or": [{"a": "1"}, {"b": "2"}]}, Or((OneOf("a", ("1",)), OneOf("b", ("2",))))),
        ({"or": [{"a": "1"}, {}]}, EVERYTHING),
        ({"and": [{"a": "1"}]}, OneOf("a", ("1",))),
        ({"@not": "x"}, OneOf("not", ("x",))),
        ({"@gte": 1}, OneOf("gte", (1.0,))),
        ({"@@id": "x"}, OneOf("@id", ("x",))),
    ],
)
def test_parses(document: dict[str, Any], node: object) -> None:
    """Every form has one tree."""
    assert parse_filter(document).node == node


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2.0, "a": [1]}),
        ({"a": ["x", "y"]}, {"a": {"in": ["y", "x", "x"]}}),
        ({"and": [{"a": 1}, {"and": [{"b": 2}, {"a": 1}]}]}, {"a": 1, "b": 2}),
        ({"or": [{"a": 1}, {"or": [{"b": 2}]}]}, {"or": [{"b": 2}, {"a": 1}, {"b": 2}]}),
        ({"a": 0.0}, {"a": -0.0}),
    ],
)
def test_same_token(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Order, repeats and nesting do not change a token."""
    assert parse_filter(one).token == parse_filter(other).token


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": 1}, {"a": "1"}),
        ({"a": "1"}, {"b": "1"}),
        ({"a": {"gt": 1}}, {"a": {"gte": 1}}),
        ({"a": {"prefix": "x"}}, {"a": {"contains": "x"}}),
        ({"and": [{"a": 1}, {"b": 1}]}, {"or": [{"a": 1}, {"b": 1}]}),
        ({"a": ["x", "y"]}, {"a": ["x,y"]}),
        ({}, {"a": {"exists": True}}),
    ],
)
def test_other_token(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Filters that mean something else have another token."""
    assert parse_filter(one).token != parse_filter(other).token


def _nested(levels: int) -> dict[str, Any]:
    document: dict[str, Any] = {"a": 1}
    for _ in range(levels - 1):
        document = {"or": [document]}
    return document


@pytest.mark.parametrize(
    ("document", "message", "remedy"),
    [
        ([1], "filter is the list [1]; expected a filter object", ""),
        (None, "filter is null; expected a filter object", ""),
        ({"price": {"gtr": 3}}, "filter.price.gtr: there is no operator 'gtr'; expected one of eq, ne,", "gt"),
        ({"price": {"not": 3}}, "filter.price.not: there is no operator 'not'", "put 'not' outside"),
        ({"price": {1: 3}}, 'filter.price["1"]: there is no operator', ""),
        ({"gte": 3}, "filter.gte: 'gte' is an operator, but stands where", '"@gte"'),
        ({"price": None}, "filter.price is null; expected a text, number or boolean", '{"exists": false}'),
        ({"price": {}}, "filter.price is the object {}; expected at least one operator", ""),
        ({"price": {"gt": True}}, "filter.price.gt is the boolean True; expected a number or a text", ""),
        ({"price": {"eq": [1]}}, "filter.price.eq is the list [1]; expected a text, number or boolean", ""),
        ({"price": {"in": 1}}, "filter.price.in is the number 1; expected a list", ""),
        ({"price": {"in": []}}, "filter.price.in is an empty list", "leave the attribute out"),
        ({"price": [1, {"a": 1}]}, "filter.price[1] is the object {'a': 1}", ""),
        ({"price": float("nan")}, "filter.price is not a finite number (nan)", ""),
        ({"price": 10**400}, "filter.price is not a finite number (inf)", ""),
        ({"price": {"prefix": 10**5000}}, "filter.price.prefix is the number beyond printing; expected a text", ""),
        ({"price": object}, "filter.price is the type <class 'object'>", ""),
        ({"my color": {"prefix": 3}}, 'filter["my color"].prefix is the number 3; expected a text', ""),
        ({"a": {"exists": 1}}, "filter.a.exists is the number 1; expected true or false", ""),
        ({"or": {"a": 1}}, "filter.or is the object {'a': 1}; expected a list of at least one filter", ""),
        ({"and": []}, "filter.and is the list []; expected a list of at least one filter", ""),
        ({"or": [{"a": 1}, {"b": {"xx": 1}}]}, "filter.or[1].b.xx: there is no operator", ""),
        ({"not": "x"}, "filter.not is the text 'x'; expected a filter object", ""),
        ({"": 1}, "filter has the name ''; names are texts of 1-2048 characters", ""),
        ({3: 1}, "filter has the name '3'; names are texts", ""),
        ({"a": "x" * (MAX_TEXT + 1)}, "filter.a is a text of 2049 characters; at most 2048", ""),
        ({"a": ["x"] * (MAX_VALUES + 1)}, "filter.a has 10001 values; at most 10000", ""),
        (_nested(MAX_DEPTH + 1), "is nested 9 deep, more than the 8 levels", "flatten"),
        ({"or": [{"a": 1}] * MAX_CONDITIONS}, "filter.or[127].a is beyond the 256 conditions", "lists of values"),
    ],
)
def test_names_mistakes(document: Any, message: str, remedy: str) -> None:
    """A mistake is named with its place, what was found and what was expected."""
    with pytest.raises(FilterError) as caught:
        parse_filter(document)
    assert message in caught.value.message
    assert remedy in caught.value.remedy
    assert len(caught.value.message) < 400


def test_caps_allow_what_they_say() -> None:
    """A filter right at the caps parses."""
    assert parse_filter(_nested(MAX_DEPTH))
    assert parse_filter({"a": ["x"] * MAX_VALUES, "b": "x" * MAX_TEXT})
    assert parse_filter({f"a{number}": number for number in range(MAX_CONDITIONS - 1)})


def test_names() -> None:
    """A filter tells which attributes it asks about."""
    assert parse_filter({"b": 1, "or": [{"a": {"gt": 1}}, {"not": {"@not": "x", "b": 2}}]}).names == ("a", "b", "not")


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        ({}, {}),
        ({"color": "red"}, {}),
        ({"color": "red", "size": "s"}, {"size": "s"}),
        ({"color": {"ne": "red", "exists": True}, "size": ["s", "m"]}, {"size": ["s", "m"]}),
        ({"not": {"color": "red"}, "or": [{"color": {"prefix": "b"}}, {"color": "red"}], "size": "s"}, {"size": "s"}),
        ({"and": [{"color": "red"}, {"and": [{"color": "blue"}, {"size": "s"}]}]}, {"size": "s"}),
        ({"or": [{"color": "red"}, {"size": "s"}]}, {"or": [{"color": "red"}, {"size": "s"}]}),
        ({"not": {"color": "red", "size": "s"}}, {"not": {"color": "red", "size": "s"}}),
        ({"@color": "red", "not": {}}, {"not": {}}),
    ],
)
def test_without(document: dict[str, Any], kept: dict[str, Any]) -> None:
    """A filter's own conditions on an attribute can be set aside; where others are mixed in, they stay."""
    assert parse_filter(document).without("color") == parse_filter(kept)


def test_without_a_name_nobody_asked_about() -> None:
    """A filter without such conditions stays itself."""
    document = parse_filter({"color": "red"})
    assert document.without("size") is document
    assert attribute_name("@not") == "not"
    assert attribute_name("@@id") == "@id"
    assert attribute_name("color") == "color"


@given(filters())
def test_token_is_stable(document: dict[str, Any]) -> None:
    """Entries in another order make the same filter."""
    backwards = dict(reversed(list(document.items())))
    assert parse_filter(document) == parse_filter(backwards)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["and", "or", "not", "a", "gt", "in", "exists", ""]), inner, max_size=3),
    ),
    max_leaves=20,
)


@given(_JSON)
def test_anything_parses_or_is_refused(document: Any) -> None:
    """Whatever JSON comes in, it is a filter or a ``FilterError``, never another exception."""
    with suppress(FilterError):
        assert parse_filter(document) == parse_filter(document)
