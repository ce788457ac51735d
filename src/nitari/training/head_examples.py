"""From feeds to what heads are trained on: photos with their group, category, color and fold."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nitari.catalog.base import Feed, FeedRow
from nitari.errors import DataError, UsageError
from nitari.folds import fold_key
from nitari.types import Item

CATEGORY = "product_type"
COLOR = "color"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Example:
    """One photo of one item.

    Args:
        feed: Which feed, by its place among those given.
        link: The photo, as the feed has it.
        item: The item, unique over all feeds.
        group: The item's group (style), unique over all feeds.
        key: What must not stand on both sides of cross-validation (``nitari.folds.fold_key``).
        category: In the words that all feeds share; empty where the feed says nothing.
        color: Lower case; empty where the feed says nothing.
        main: Whether it is the item's first photo.
    """

    feed: int
    link: str
    item: str
    group: str
    key: str
    category: str
    color: str
    main: bool


def read_mapping(path: Path) -> Mapping[str, str]:
    """A TOML file that gives categories of different feeds one name.

    Its table ``[categories]`` has what feeds say on the left, either the whole ``product_type`` or its last part, and
    what to call it on the right: ``"Tees" = "T-Shirt"``. What it does not name is called by its last part.

    Raises:
        UsageError: it cannot be read, or says something else.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(f"the file of categories {path} cannot be read as TOML: {exc}", remedy="correct it") from exc
    categories = told.get("categories")
    right = isinstance(categories, dict) and all(isinstance(name, str) and name for name in categories.values())
    if told.get("format") != FORMAT or not right or set(told) != {"format", "categories"}:
        raise UsageError(
            f"{path} holds {', '.join(told) or 'nothing'}, expected format = {FORMAT} and texts in [categories]",
            remedy='write lines such as "Tees" = "T-Shirt" into [categories]',
        )
    return dict(told["categories"])


def read_examples(feeds: Iterable[Feed], mapping: Mapping[str, str]) -> tuple[Example, ...]:
    """All photos of all items, feed by feed; rows that a feed rejects are left out.

    Raises:
        DataError: fewer than two items, or neither a category nor a group of several photos: nothing to learn from.
    """
    examples: list[Example] = []
    for number, feed in enumerate(feeds):
        for entry in feed.read():
            if isinstance(entry, FeedRow):
                examples += _photos(number, entry.item, mapping)
    if len({example.item for example in examples}) < 2:
        raise DataError("the feeds have fewer than two items, so nothing can be learned", remedy="give larger feeds")
    groups = {(example.group, example.link) for example in examples}
    if len({group for group, _ in groups}) == len(groups) and not any(example.category for example in examples):
        raise DataError(
            f"none of {len(examples)} photos has a {CATEGORY}, and no group has two photos: nothing says what is alike",
            remedy=f"give feeds with {CATEGORY}, item_group_id or additional_image_link",
        )
    return tuple(examples)


def _photos(number: int, item: Item, mapping: Mapping[str, str]) -> list[Example]:
    value = item.attributes.get(CATEGORY) or ""
    said = " > ".join(map(str, value)) if isinstance(value, tuple) else str(value).strip()
    last = said.rsplit(" > ", 1)[-1]
    category = mapping.get(said, mapping.get(last, last))
    color = str(item.attributes.get(COLOR) or "").strip().lower()
    return [
        Example(
            feed=number,
            link=link,
            item=f"{number}:{item.item_id}",
            group=f"{number}:{item.group_id}",
            key=fold_key(item),
            category=category,
            color=color,
            main=place == 0,
        )
        for place, link in enumerate(item.image_links)
    ]
