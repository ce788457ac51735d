"""What searches say over the wire: it must agree with the core's own queries."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from nitari.search import query
from nitari.server import schemas_search
from nitari.server.schemas_search import RecommendBody, SearchBody
from nitari.types import MAX_ID_LENGTH


@pytest.mark.parametrize("name", ["MAX_K", "MAX_WINDOW", "MAX_FACETS", "MAX_FACET_VALUES"])
def test_limits_are_those_of_the_core(name: str) -> None:
    """A limit that the document names is the one that a query is held to."""
    assert getattr(schemas_search, name) == getattr(query, name)


def test_defaults_are_those_of_the_core() -> None:
    """What is not said means the same here and there."""
    core: dict[str, Any] = {field.name: field.default for field in fields(query.Query)}
    wire = SearchBody().model_dump()
    for name in wire.keys() & core.keys():
        assert (wire[name] or None) == (core[name] or None), name


def test_ids_are_as_long_as_items_may_have_them() -> None:
    """An id that an item can have can be asked for, and no longer one."""
    assert RecommendBody(liked=["x" * MAX_ID_LENGTH]).liked
    with pytest.raises(ValueError, match="at most 512"):
        RecommendBody(liked=["x" * (MAX_ID_LENGTH + 1)])


@pytest.mark.parametrize(
    "options",
    [
        {"emphasis": -0.1},
        {"emphasis": 1.1},
        {"emphasis": "color"},
        {"worn": "on"},
        {"worn": 2},
        {"worn": None},
        {"category": "shoes"},
        {"collapse": "no"},
        {"why": "please"},
    ],
)
def test_what_is_no_choice_is_refused(options: dict[str, Any]) -> None:
    """Nothing is taken for something else."""
    with pytest.raises(ValueError, match=next(iter(options))):
        SearchBody.model_validate({"item_id": "a", **options})
