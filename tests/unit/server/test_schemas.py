"""The wire models: they know nothing of the core, so that clients stay light, and must agree with it all the same."""

from __future__ import annotations

import pytest

from nitari.search import query
from nitari.server import schemas
from nitari.types import MAX_ID_LENGTH


@pytest.mark.parametrize("name", ["MAX_K", "MAX_WINDOW", "MAX_FACETS", "MAX_FACET_VALUES"])
def test_limits_are_those_of_the_core(name: str) -> None:
    """A limit that the document names is the one that a query is held to."""
    assert getattr(schemas, name) == getattr(query, name)


def test_ids_are_as_long_as_items_may_have_them() -> None:
    """An id that an item can have can be asked for, and no longer one."""
    assert schemas.RecommendBody(liked=["x" * MAX_ID_LENGTH]).liked
    with pytest.raises(ValueError, match="at most 512"):
        schemas.RecommendBody(liked=["x" * (MAX_ID_LENGTH + 1)])
