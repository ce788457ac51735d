"""What an edit does to a stored item: decided here, without I/O; ``writer`` carries it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nitari.catalog.base import ChangeKind, Edit, ImagePut, ItemDelete, ItemPut, ItemRejections
from nitari.catalog.codec import FeatureRows, encode_attributes, encode_texts
from nitari.errors import UsageError


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A stored photo; ``extracted`` says whether it has features in the collection being written."""

    number: int
    position: int
    link: str
    digest: str
    etag: str | None
    last_modified: str | None
    width: int
    height: int
    extracted: bool


@dataclass(frozen=True, slots=True)
class ItemFields:
    """The columns of an item that a feed decides, as stored."""

    item_id: str
    group_id: str
    title: str
    image_links: str
    attributes: str
    feed_id: str | None


@dataclass(frozen=True, slots=True)
class ItemRow:
    """A stored item with its photos in order."""

    number: int
    fields: ItemFields
    row_digest: str
    seq: int
    images: tuple[ImageRow, ...]


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """What becomes of one photo that an item shall have.

    Args:
        put: As asked for.
        stored: The row that stays, of the same link and digest; ``None`` where a new row is to be made.
        rows: Features to write, in place of those that are there; ``None`` keeps them and their keys.
        sized: What tells the photo's width and height.
        others: Features to write in further collections, by their numbers, where there are none yet.
    """

    put: ImagePut
    stored: ImageRow | None
    rows: FeatureRows | None
    sized: ImageRow | FeatureRows
    others: Mapping[int, FeatureRows] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """What an ``ItemPut`` does.

    Args:
        fields: The item's columns afterwards.
        change: What the change log says; ``None`` where no index has anything to learn.
        update: Whether the item's row is to be written.
        images: The photos afterwards, in order.
        dropped: Numbers of the photo rows that go, with all that hangs on them.
    """

    fields: ItemFields
    change: ChangeKind | None
    update: bool
    images: tuple[ImagePlan, ...]
    dropped: tuple[int, ...]


def staying(stored: ItemRow | None, put: ImagePut) -> ImageRow | None:
    """The stored row of the photo being put: same link and same bytes. A replaced photo is a new row, with new keys."""
    if stored is None:
        return None
    return next((row for row in stored.images if row.link == put.link and row.digest == put.digest), None)


def plan_put(stored: ItemRow | None, put: ItemPut, images: Sequence[ImagePlan]) -> ItemPlan:
    """What putting an item changes, given what is stored and what becomes of each photo.

    Validators (etag, last-modified) and the row's digest are written without a change: no index knows them.
    """
    fields = _fields(put)
    if stored is None:
        return ItemPlan(fields, ChangeKind.PUT, True, tuple(images), ())
    kept = [image.stored.number for image in images if image.stored is not None]
    dropped = tuple(row.number for row in stored.images if row.number not in set(kept))
    same_photos = kept == [row.number for row in stored.images] and len(kept) == len(images)
    if not same_photos or any(image.rows is not None or image.others for image in images):
        change: ChangeKind | None = ChangeKind.PUT
    elif fields != stored.fields:
        change = ChangeKind.ATTRIBUTES
    else:
        change = None
    update = change is not None or put.row_digest != stored.row_digest
    return ItemPlan(fields, change, update, tuple(images), dropped)


def check(edits: Iterable[Edit]) -> None:
    """Refuse edits that cannot be before anything is locked.

    Raises:
        UsageError: an item without photos, or with two photos of one link.
    """
    for edit in edits:
        if isinstance(edit, ItemPut):
            links = [image.link for image in edit.images]
            if not links:
                raise UsageError(
                    f"item {edit.item.item_id!r} is put without a usable photo, expected at least one",
                    remedy="record a rejection instead, or delete the item",
                )
            if len(set(links)) != len(links):
                raise UsageError(f"item {edit.item.item_id!r} is put with an image link twice: {links}")


def rounds(edits: Iterable[Edit]) -> Iterator[list[ItemPut | ItemDelete]]:
    """Puts and deletes in order, cut so that no item comes twice in a round: a round's edits do not see each other."""
    current: list[ItemPut | ItemDelete] = []
    seen: set[str] = set()
    for edit in edits:
        if isinstance(edit, ItemRejections):
            continue
        item_id = edit.item.item_id if isinstance(edit, ItemPut) else edit.item_id
        if item_id in seen:
            yield current
            current, seen = [], set()
        current.append(edit)
        seen.add(item_id)
    if current:
        yield current


def item_scope(item_id: str) -> str:
    """What is replaced when an item's rejections are recorded anew."""
    return f"item:{item_id}"


def scope(edit: ItemRejections) -> str:
    """What an edit of rejections replaces, within its feed."""
    return f"location:{edit.location or ''}" if edit.item_id is None else item_scope(edit.item_id)


def rejections_after(edits: Iterable[Edit]) -> tuple[set[str], dict[tuple[str, str], ItemRejections]]:
    """What all edits together do to rejections: scopes to forget in every feed, and what to record by feed and scope.

    A deleted item's rejections go with it: they told what was wrong with something that is no longer wanted, and a feed
    that still lists it raises them again.
    """
    forgotten: set[str] = set()
    recorded: dict[tuple[str, str], ItemRejections] = {}
    feeds: set[str] = set()
    for edit in edits:
        if isinstance(edit, ItemRejections):
            recorded.pop((edit.feed_id, scope(edit)), None)  # so that the latest stands last
            recorded[edit.feed_id, scope(edit)] = edit
            feeds.add(edit.feed_id)
        elif isinstance(edit, ItemDelete):
            gone = item_scope(edit.item_id)
            forgotten.add(gone)
            for feed in feeds:
                recorded.pop((feed, gone), None)
    return forgotten, recorded


def _fields(put: ItemPut) -> ItemFields:
    item = put.item
    return ItemFields(
        item_id=item.item_id,
        group_id=item.group_id,
        title=item.title,
        image_links=encode_texts(item.image_links),
        attributes=encode_attributes(item.attributes),
        feed_id=put.feed_id,
    )
