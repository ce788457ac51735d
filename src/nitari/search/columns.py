"""Attribute columns in memory. (Signatures first.)"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttributeSummary:
    """What is known of one attribute.

    Args:
        kinds: Which of ``text``, ``number``, ``boolean``, ``list`` its values are.
        items: How many items have it.
        distinct: How many different values there are.
    """

    kinds: tuple[str, ...]
    items: int
    distinct: int
