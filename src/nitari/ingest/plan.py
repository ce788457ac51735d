"""What to do with an item of a feed: decided here, without I/O; ``worker.py`` carries it out.

The rules, in one place:

- A photo whose bytes are those we have keeps its vectors. A row whose text changed updates attributes only.
- A photo that cannot be had or read this time is rejected; if an older good photo stands behind the same link, that
  one stays searchable (``kept``). An item left without any usable photo keeps the photos it had.
- ``--sync`` deletes what left the feed, never what was merely rejected, and not more than ``MAX_DELETED_SHARE`` of it
  unless told to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum

from nitari.catalog.base import ImagePut, ItemPut, KnownImage, KnownItem
from nitari.errors import DataError, SyncRefusedError
from nitari.types import Item, Rejection

MAX_DELETED_SHARE = 0.2
"""A feed that lost more of its items than this is more likely broken than right."""


class Outcome(Enum):
    """What became of one item, for the counts that the user sees."""

    INDEXED = "indexed"
    """New, or with at least one photo embedded, exchanged or removed."""
    UPDATED = "updated"
    """Only attributes, title or group changed."""
    UNCHANGED = "unchanged"
    """Nothing to do."""
    REJECTED = "rejected"
    """No usable photo, now or before: not in the catalog."""


@dataclass(frozen=True, slots=True)
class Usable:
    """A photo of the row that can be used: new, exchanged, or the same as before (then without features)."""

    image: ImagePut


@dataclass(frozen=True, slots=True)
class Unusable:
    """A photo of the row that cannot be used this time, and why."""

    link: str
    error: DataError


@dataclass(frozen=True, slots=True)
class ItemPlan:
    """What to write for one item.

    Args:
        outcome: For the counts.
        put: What to write; ``None`` where there is nothing to write.
        rejections: What to record beside it.
    """

    outcome: Outcome
    put: ItemPut | None
    rejections: tuple[Rejection, ...] = ()


def digest_row(item: Item) -> str:
    """Digest of everything that a row says, independent of the order of its columns: 32 hex digits."""
    content = [item.item_id, item.group_id, item.title, item.image_links, sorted(item.attributes.items())]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def plan_item(
    item: Item,
    *,
    feed_id: str | None,
    location: str | None,
    known: KnownItem | None,
    photos: Sequence[Usable | Unusable],
) -> ItemPlan:
    """Decide what to write for an item whose photos were looked at.

    Args:
        item: The row.
        feed_id: The feed it stands in.
        location: Where it stands there.
        known: What the catalog has of it, if anything.
        photos: One outcome for each of ``item.image_links``, in order.
    """
    before = {image.link: image for image in known.images} if known else {}
    images: list[ImagePut] = []
    rejections: list[Rejection] = []
    for photo in photos:
        if isinstance(photo, Usable):
            images.append(photo.image)
            continue
        old = before.get(photo.link)
        if old is not None:
            images.append(_keep(old))
        rejections.append(_reject(item, photo, location, kept=old is not None and old.extracted))
    if not images and known is not None:
        images = [_keep(image) for image in known.images]
        searchable = any(image.extracted for image in known.images)
        rejections = [replace(rejection, kept=searchable) for rejection in rejections]
    if not images:
        return ItemPlan(Outcome.REJECTED, None, tuple(rejections))
    put = ItemPut(item, feed_id, digest_row(item), tuple(images))
    outcome = _compare(put, known)
    nothing_to_write = (
        outcome is Outcome.UNCHANGED and known is not None and _validators(put) == _known_validators(known)
    )
    return ItemPlan(outcome, None if nothing_to_write else put, tuple(rejections))


def plan_deletions(
    *, feed_id: str, owned: AbstractSet[str], seen: AbstractSet[str], unidentified: int, allow_delete: bool
) -> tuple[str, ...]:
    """Which items left the feed and are to be deleted, sorted.

    Args:
        feed_id: For the message.
        owned: Items that the catalog holds from this feed.
        seen: Ids of all rows of this run, the rejected ones included.
        unidentified: Rejected rows whose id could not be read: any missing item might be one of them.
        allow_delete: Delete whatever the share.

    Raises:
        SyncRefusedError: more than ``MAX_DELETED_SHARE`` of the feed's items would go, or rows without a readable id
            may be the missing ones.
    """
    gone = tuple(sorted(owned - seen))
    if not gone or allow_delete:
        return gone
    if unidentified:
        raise SyncRefusedError(
            f"{len(gone)} items are no longer in {feed_id}, but {unidentified} of its rows have no readable id and may "
            "be them; nothing was deleted",
            remedy="correct the rows that `nitari rejects` lists, or repeat with --allow-delete",
        )
    share = len(gone) / len(owned)
    if share > MAX_DELETED_SHARE:
        raise SyncRefusedError(
            f"{len(gone)} of {len(owned)} items ({share:.0%}) are no longer in {feed_id}; more than "
            f"{MAX_DELETED_SHARE:.0%} looks like a broken feed; nothing was deleted",
            remedy="if they are meant to go, repeat with --sync --allow-delete",
        )
    return gone


def _keep(image: KnownImage) -> ImagePut:
    return ImagePut(image.link, image.digest, image.etag, image.last_modified)


def _reject(item: Item, photo: Unusable, location: str | None, *, kept: bool) -> Rejection:
    error = photo.error
    return Rejection(
        code=error.code,
        reason=error.message,
        remedy=error.remedy,
        item_id=item.item_id,
        image_link=photo.link,
        location=location,
        kept=kept,
    )


def _compare(put: ItemPut, known: KnownItem | None) -> Outcome:
    if known is None or [(i.link, i.digest) for i in put.images] != [(i.link, i.digest) for i in known.images]:
        return Outcome.INDEXED
    if any(image.features is not None for image in put.images):  # a photo that had none in this collection
        return Outcome.INDEXED
    if put.row_digest != known.row_digest or put.feed_id != known.feed_id:
        return Outcome.UPDATED
    return Outcome.UNCHANGED


def _validators(put: ItemPut) -> Mapping[str, tuple[str | None, str | None]]:
    return {image.link: (image.etag, image.last_modified) for image in put.images}


def _known_validators(known: KnownItem) -> Mapping[str, tuple[str | None, str | None]]:
    return {image.link: (image.etag, image.last_modified) for image in known.images}
