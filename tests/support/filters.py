"""What a JSON filter means, said a second time and naively, and strategies for items and filters that often meet."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from nitari.search.columns import Row
from nitari.search.filters import OPERATORS
from nitari.types import AttributeValue

TEXTS = ("red", "Red", "RED wine", "1", "", "true", "Apparel > Shoes", "Apparel > Shoes > Boots", "ß", "straße")
NUMBERS = (0.0, 1.0, -1.5, 10.0, 49.99, 1e300)
NAMES = ("color", "price", "sale", "tags", "not", "gte", "@odd", "item_id", "item_group_id", "title", "missing")

_TEXT = st.sampled_from(TEXTS)
_NUMBER = st.sampled_from(NUMBERS)
_SCALAR = st.one_of(_TEXT, _NUMBER, st.booleans())
_ORDERS = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def values() -> st.SearchStrategy[AttributeValue]:
    """Attribute values of every kind."""
    return st.one_of(_SCALAR, st.lists(_TEXT, max_size=3).map(tuple))


def rows() -> st.SearchStrategy[Row]:
    """Rows with a few attributes, one of them named like what every item has."""
    names = ("color", "price", "sale", "tags", "not", "gte", "@odd", "title")
    return st.builds(
        Row,
        st.sampled_from(("a", "b", "red", "1")),
        st.sampled_from(("g1", "g2", "red")),
        _TEXT,
        st.dictionaries(st.sampled_from(names), values(), max_size=5),
    )


def filters(names: Sequence[str] = NAMES) -> st.SearchStrategy[dict[str, Any]]:
    """Filters that parse, about some of ``names``."""
    operand = {
        "eq": _SCALAR,
        "ne": _SCALAR,
        "in": st.lists(_SCALAR, min_size=1, max_size=4),
        **dict.fromkeys(_ORDERS, st.one_of(_TEXT, _NUMBER)),
        "prefix": _TEXT,
        "contains": _TEXT,
        "exists": st.booleans(),
    }
    operations = st.fixed_dictionaries({}, optional=operand).filter(bool)
    test = st.one_of(_SCALAR, st.lists(_SCALAR, min_size=1, max_size=4), operations)
    name = st.sampled_from(names).map(_escaped)
    leaf = st.dictionaries(name, test, max_size=3)

    def deeper(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
        parts = st.lists(inner, min_size=1, max_size=3)
        combined = st.fixed_dictionaries({}, optional={"and": parts, "or": parts, "not": inner})
        return st.builds(lambda own, more: {**own, **more}, leaf, combined)

    return st.recursive(leaf, deeper, max_leaves=6)


def passes(document: Mapping[str, Any], row: Row) -> bool:
    """Whether an item passes a filter, by the words of ``nitari.search.filters``, one item at a time."""
    for name, wanted in document.items():
        if name == "and":
            good = all(passes(part, row) for part in wanted)
        elif name == "or":
            good = any(passes(part, row) for part in wanted)
        elif name == "not":
            good = not passes(wanted, row)
        else:
            good = _attribute(_held(row, name.removeprefix("@")), wanted)
        if not good:
            return False
    return True


def _escaped(name: str) -> str:
    return f"@{name}" if name.startswith("@") or name in ("and", "or", "not", *OPERATORS) else name


def _held(row: Row, name: str) -> tuple[Any, ...]:
    own = {"item_id": row.item_id, "item_group_id": row.group_id, "title": row.title}
    value: Any = own.get(name, row.attributes.get(name, ()))
    return value if isinstance(value, tuple) else (value,)


def _attribute(held: tuple[Any, ...], wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return all(_operation(held, name, operand) for name, operand in wanted.items())
    return any(_same(value, one) for value in held for one in (wanted if isinstance(wanted, list) else [wanted]))


def _operation(held: tuple[Any, ...], name: str, operand: Any) -> bool:
    if name in ("eq", "in"):
        return _attribute(held, operand)
    if name == "ne":
        return not _attribute(held, operand)
    if name == "exists":
        return bool(held) == operand
    return any(_compares(value, name, operand) for value in held)


def _compares(value: Any, name: str, operand: Any) -> bool:
    if type(value) is not type(operand):
        return False
    if name == "prefix":
        return bool(value.startswith(operand))
    if name == "contains":
        return operand.casefold() in value.casefold()
    return bool(_ORDERS[name](value, operand))


def _same(value: Any, wanted: Any) -> bool:
    return type(value) is type(wanted) and value == wanted
