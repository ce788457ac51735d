"""Edits of single items by clients, outside any feed.

What a photo is and what becomes of an item is decided as in imports (``examine.py``, ``plan.py``), with one difference:
a photo that is stored for an item under the same link is kept as it is, unless the client asks for ``refetch``. So a
new price costs neither network nor model, however often it comes. Links that could not be used before are tried again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from nitari.catalog.base import Catalog, Edit, ItemDelete, KnownItem
from nitari.errors import DependencyError, NitariError, StateError, UsageError
from nitari.extract import Extractor
from nitari.images.base import UPLOAD, ImageSource, NotModified, Original, Originals, Validators, shown
from nitari.ingest.examine import Examiner, Others, no_others
from nitari.ingest.plan import ItemPlan, Outcome
from nitari.types import MAX_ID_LENGTH, Attributes, Item, Rejection, is_printable_id

Result: TypeAlias = Literal["created", "replaced", "unchanged", "rejected", "deleted", "absent"]
ReadSubmitted: TypeAlias = Callable[[str, Mapping[str, object]], tuple[str, Attributes]]
"""Title and attributes as feeds would have them; raises ``UsageError`` (see ``catalog.feeds.submitted``)."""

ROUND = 64
"""Most operations in one transaction."""
TRIES = 3
"""How often photos are looked at before an edit gives way to others that keep deleting what it builds on."""
PHOTOS_AT_ONCE = 4
"""Photos of one item fetched at a time: a client waits for the slowest host, not for the sum of all."""
MAX_LINK = 4096
_LINK = re.compile(rf"(?i:https?)://[^\s/?#]\S*|{UPLOAD}[0-9a-f]{{64}}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Draft:
    """An item as a client wants it; it replaces the one that is there, whichever feed that came from.

    Args:
        item_id: Which one.
        title: May be empty.
        group_id: The item's own id if empty.
        image_links: ``http(s)`` links, and ``upload:`` ones that an earlier answer named; repeats are dropped.
        attributes: Read like a feed's columns.
        uploads: Photos, put before ``image_links``, in order.
        refetch: Look again at links whose photo is known, as an import does.
    """

    item_id: str
    title: str = ""
    group_id: str = ""
    image_links: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    uploads: tuple[bytes, ...] = field(default=(), repr=False)
    refetch: bool = False


Operation: TypeAlias = Draft | ItemDelete


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of one operation; it is durable.

    Args:
        item_id: The item.
        result: ``rejected`` where nothing was done: no photo can be used, or there is an ``error``.
        rejections: Photos that cannot be used; with any other result than ``rejected`` the item goes on without them.
        image_links: All links of the item, ``upload:`` ones for the photos that came with it; empty for deletes.
        error: Why the operation could not be carried out.
        seq: A change of the catalog from which on the result can be seen; 0 where nothing was done.
    """

    item_id: str
    result: Result
    rejections: tuple[Rejection, ...] = ()
    image_links: tuple[str, ...] = ()
    error: NitariError | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True)
class _Put:
    """A draft that was found to be an item, and the photos that came with it by link."""

    item: Item
    uploads: Mapping[str, bytes]
    refetch: bool

    @property
    def item_id(self) -> str:
        return self.item.item_id


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the catalog has of a round's items.

    Args:
        known: Those whose photos can be reused.
        there: All of them.
    """

    known: Mapping[str, KnownItem]
    there: frozenset[str]


class Editor:
    """Puts and deletes items for clients. Safe to call from several threads; several processes may edit one catalog.

    An edit is whole or not there. Of two edits of one item at a time, the one that commits last counts.

    Args:
        catalog: Where to.
        extractor: What a new photo becomes.
        source: Follows links.
        originals: Where uploaded photos are kept.
        read: Reads title and attributes.
        workers: Photos decoded and embedded at a time.
        others: Further collections that new photos belong into.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        extractor: Extractor,
        source: ImageSource,
        originals: Originals,
        read: ReadSubmitted,
        workers: int = 1,
        others: Others = no_others,
    ) -> None:
        self._catalog = catalog
        self._collection = extractor.collection
        self._examiner = Examiner(catalog=catalog, extractor=extractor, workers=workers, others=others)
        self._source = source
        self._originals = originals
        self._read = read
        self._workers = workers
        catalog.register_collection(extractor.spec)

    def put(self, draft: Draft) -> Edited:
        """Insert or replace an item.

        Raises:
            UsageError: an id, link, title or attribute that cannot be; the message names the field.
            NitariError: what else keeps it from being carried out.
        """
        return self._only(draft)

    def delete(self, item_id: str) -> Edited:
        """Delete an item; one that is still in its feed comes back with that feed's next import.

        Raises:
            NitariError: what keeps it from being carried out.
        """
        return self._only(ItemDelete(item_id))

    def apply(self, operations: Sequence[Operation]) -> tuple[Edited, ...]:
        """Carry out operations in order; what is wrong with one is told in its ``error`` and stops no other.

        At most ``ROUND`` of them, none of one item twice, are one transaction.
        """
        results: list[Edited | None] = [None] * len(operations)
        prepared: list[tuple[int, _Put | ItemDelete]] = []
        for place, operation in enumerate(operations):
            try:
                prepared.append((place, self._prepare(operation)))
            except UsageError as error:
                results[place] = Edited(operation.item_id, "rejected", error=error)
        outage: DependencyError | None = None
        for some in rounds(prepared):
            edits = [edit for _, edit in some]
            try:
                outcome = _all_failed(edits, outage) if outage else self._carry_out(edits)
            except NitariError as error:
                outcome = _all_failed(edits, error)
                # A catalog that does not answer is not asked again for each round: every time costs its patience.
                outage = error if isinstance(error, DependencyError) else None
            for (place, _), edited in zip(some, outcome, strict=True):
                results[place] = edited
        return tuple(edited for edited in results if edited is not None)

    def _only(self, operation: Operation) -> Edited:
        (edited,) = self.apply([operation])
        if edited.error is not None:
            raise edited.error
        return edited

    def _prepare(self, operation: Operation) -> _Put | ItemDelete:
        """Check what can be checked without looking at photos."""
        if isinstance(operation, ItemDelete):
            if not 0 < len(operation.item_id) <= MAX_ID_LENGTH or not is_printable_id(operation.item_id):
                raise UsageError(f"{operation.item_id[:80]!r} can be no item's id", code="item-id")
            return operation
        uploads = {UPLOAD + hashlib.sha256(data).hexdigest(): data for data in operation.uploads}
        links = tuple(dict.fromkeys((*uploads, *(_link(link, n) for n, link in enumerate(operation.image_links)))))
        title, attributes = self._read(operation.title, operation.attributes)
        item = Item(operation.item_id, links, title, operation.group_id, attributes)
        return _Put(item, uploads, operation.refetch)

    def _carry_out(self, edits: Sequence[_Put | ItemDelete]) -> list[Edited]:
        """One round in one transaction.

        Others may delete meanwhile what it builds on; then its photos are looked at anew, at last item by item.
        """
        for _ in range(TRIES):
            try:
                return self._try(edits)
            except StateError as error:
                if error.code != "no-features":
                    raise
                lost = error
        if len(edits) == 1:
            raise lost
        return [edited for edit in edits for edited in self._alone(edit)]

    def _alone(self, edit: _Put | ItemDelete) -> list[Edited]:
        try:
            return self._carry_out([edit])
        except NitariError as error:
            return _all_failed([edit], error)

    def _try(self, edits: Sequence[_Put | ItemDelete]) -> list[Edited]:
        stored = self._stored(edits)
        found = self._examine(edits, stored.known)
        changes: list[Edit] = []
        for edit, plan in zip(edits, found, strict=True):
            if isinstance(edit, ItemDelete) and edit.item_id in stored.there:
                changes.append(edit)
            elif isinstance(plan, ItemPlan) and plan.put is not None:
                changes.append(plan.put)
        seq = self._catalog.apply(changes, collection=self._collection) if changes else self._catalog.seq()
        return [_edited(edit, plan, stored, seq) for edit, plan in zip(edits, found, strict=True)]

    def _stored(self, edits: Sequence[_Put | ItemDelete]) -> _Stored:
        ids = [edit.item_id for edit in edits]
        known = self._catalog.known(ids, collection=self._collection)
        others = {item_id for item_id in ids if item_id not in known and self._catalog.get(item_id) is not None}
        return _Stored(known, frozenset(known) | others)

    def _examine(
        self, edits: Sequence[_Put | ItemDelete], known: Mapping[str, KnownItem]
    ) -> list[ItemPlan | NitariError | None]:
        """What to write for each put, or why it cannot be; ``None`` for deletes."""

        def look(edit: _Put | ItemDelete) -> ItemPlan | NitariError | None:
            return None if isinstance(edit, ItemDelete) else self._look(edit, known.get(edit.item_id))

        if len(edits) == 1:
            return [look(edits[0])]
        with ThreadPoolExecutor(min(len(edits), 2 * self._workers), thread_name_prefix="nitari-edit") as pool:
            return list(pool.map(look, edits))

    def _look(self, put: _Put, known: KnownItem | None) -> ItemPlan | NitariError:
        """Look at an item's photos; keep the uploaded ones that are of use before anything refers to them."""
        source = _Uploaded(put.uploads, self._source) if put.uploads else self._source
        try:
            plan = self._examiner.examine(
                put.item,
                feed_id=None,
                location=None,
                known=known,
                source=source,
                refetch=put.refetch,
                at_once=PHOTOS_AT_ONCE,
            )
            rejected = {rejection.image_link for rejection in plan.rejections}
            for link, data in put.uploads.items():
                if link not in rejected:
                    self._keep(link.removeprefix(UPLOAD), data)
        except NitariError as error:
            return error
        return plan

    def _keep(self, digest: str, data: bytes) -> None:
        # Asked first because asking checks: a damaged copy is dropped, so that it is written anew.
        if self._originals.get(digest) is not None:
            return
        try:
            self._originals.put(Original(data, digest))
        except OSError as exc:
            raise DependencyError(
                f"an uploaded photo of {len(data)} bytes cannot be kept: {exc.strerror}",
                remedy="see that the home folder's disk has room and can be written",
                code="upload-failed",
            ) from exc


class _Uploaded:
    """Photos that came with an edit, in front of another source."""

    def __init__(self, uploads: Mapping[str, bytes], source: ImageSource) -> None:
        self._uploads = uploads
        self._source = source

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The photo that came, or what the source says."""
        data = self._uploads.get(link)
        if data is None:
            return self._source.fetch(link, known=known)
        return Original(data, link.removeprefix(UPLOAD))

    def close(self) -> None:
        """The source belongs to others."""


def rounds(
    edits: Iterable[tuple[int, _Put | ItemDelete]], *, most: int = ROUND
) -> Iterator[list[tuple[int, _Put | ItemDelete]]]:
    """Edits in order, cut so that a round has at most ``most`` and no item twice: it could not see its own edits."""
    current: list[tuple[int, _Put | ItemDelete]] = []
    seen: set[str] = set()
    for place, edit in edits:
        if edit.item_id in seen or len(current) == most:
            yield current
            current, seen = [], set()
        current.append((place, edit))
        seen.add(edit.item_id)
    if current:
        yield current


def _edited(edit: _Put | ItemDelete, found: ItemPlan | NitariError | None, stored: _Stored, seq: int) -> Edited:
    """What to tell the client."""
    there = edit.item_id in stored.there
    if isinstance(edit, ItemDelete):
        return Edited(edit.item_id, "deleted" if there else "absent", seq=seq)
    links = edit.item.image_links
    if isinstance(found, NitariError):
        return Edited(edit.item_id, "rejected", image_links=links, error=found)
    if found is None:
        raise TypeError("a put was not examined")
    if found.outcome is Outcome.REJECTED:
        return Edited(edit.item_id, "rejected", found.rejections, links)
    if found.outcome is Outcome.UNCHANGED:
        return Edited(edit.item_id, "unchanged", found.rejections, links, seq=seq)
    return Edited(edit.item_id, "replaced" if there else "created", found.rejections, links, seq=seq)


def _all_failed(edits: Sequence[_Put | ItemDelete], error: NitariError) -> list[Edited]:
    return [Edited(edit.item_id, "rejected", error=error) for edit in edits]


def _link(link: str, place: int) -> str:
    """A link that a client may give.

    Raises:
        UsageError: any other.
    """
    text = link.strip()
    if len(text) > MAX_LINK or _UNPRINTABLE.search(text) or not _LINK.fullmatch(text):
        raise UsageError(
            f"image_links[{place}] is {shown(link)}, expected an http or https URL of at most {MAX_LINK} characters, "
            f"or an {UPLOAD} link that an earlier answer named",
            remedy="link to the photo with http or https, or upload it with the item",
            code="image-link",
        )
    return text


def delete_items(catalog: Catalog, item_ids: Sequence[str], *, collection: str) -> tuple[str, ...]:
    """Delete items, whichever feed they came from; needs no model. Returns the ids that were there.

    An item that is still in its feed comes back with that feed's next import.
    """
    there = tuple(item_id for item_id in dict.fromkeys(item_ids) if catalog.get(item_id) is not None)
    if there:
        catalog.apply([ItemDelete(item_id) for item_id in there], collection=collection)
    return there
