"""The wire models: they know nothing of the core, so that clients stay light, and must agree with it all the same."""

from __future__ import annotations

import pytest

from nitari.server import schemas
from nitari.types import MAX_ID_LENGTH


def test_ids_are_as_long_as_items_may_have_them() -> None:
    """An id that an item can have can be sent, and no longer one."""
    assert schemas.ItemBody(item_group_id="x" * MAX_ID_LENGTH).item_group_id
    with pytest.raises(ValueError, match="at most 512"):
        schemas.ItemBody(item_group_id="x" * (MAX_ID_LENGTH + 1))
