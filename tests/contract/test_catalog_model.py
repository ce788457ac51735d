"""Any sequence of edits leaves a catalog in the state that a plain dictionary says."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from nitari.catalog.base import Catalog, ChangeKind, Edit, ItemDelete, ItemPut, ItemRejections, KnownImage, KnownItem
from nitari.types import Rejection
from support.catalogs import (
    ADAPTERS,
    COLLECTION,
    FEED,
    indexed,
    photo,
    put,
    ready,
    reject,
    vector_of,
    vectors_by_key,
)

CARD = COLLECTION.name
IDS = ("a", "b", "c")
VIEWS = {digest: 1 + number % 2 for number, digest in enumerate(("d0", "d1", "d2", "d3"))}

photos = st.lists(
    st.tuples(st.sampled_from(("l0", "l1", "l2")), st.sampled_from(sorted(VIEWS))),
    min_size=1,
    max_size=3,
    unique_by=lambda pair: pair[0],
)


@dataclass(frozen=True)
class Wish:
    """An edit to try; whether photos come with features is decided when it is known what is stored."""

    kind: str
    item_id: str
    photos: tuple[tuple[str, str], ...]
    price: float
    feed: str | None
    extracted: bool
    code: str | None


wishes = st.builds(
    Wish,
    kind=st.sampled_from(("put", "put", "again", "price", "reorder", "replace", "delete", "reject")),
    item_id=st.sampled_from(IDS),
    photos=photos.map(tuple),
    price=st.sampled_from((1.0, 2.0)),
    feed=st.sampled_from((FEED, None)),
    extracted=st.booleans(),
    code=st.sampled_from((None, "x", "y")),
)


class CatalogMachine(RuleBasedStateMachine):
    """Drives a catalog and a dictionary side by side."""

    adapter = ""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.catalog: Catalog = ready(ADAPTERS[self.adapter](self.folder))
        self.items: dict[str, ItemPut] = {}
        self.log: list[tuple[ChangeKind, str]] = []
        self.rejected: dict[tuple[str, str], tuple[Rejection, ...]] = {}
        self.keys: dict[tuple[str, str, str], tuple[int, ...]] = {}
        self.used: set[int] = set()

    @initialize()
    def reopened(self) -> None:
        """Everything below holds for a catalog that was opened again, too."""
        self.reopen()

    @rule()
    def reopen(self) -> None:
        """Close and open; every invariant is then checked against what reached the disk."""
        self.catalog.close()
        self.catalog = ADAPTERS[self.adapter](self.folder)

    @rule(batch=st.lists(wishes, min_size=1, max_size=4), run=st.sampled_from(("r1", "r2")))
    def apply(self, batch: list[Wish], run: str) -> None:
        """A batch of edits, of one item several times too."""
        edits: list[Edit] = [self._edit(wish, run) for wish in batch]
        assert self.catalog.apply(edits, collection=CARD) == len(self.log)

    @rule(run=st.sampled_from(("r1", "r2")))
    def finish(self, run: str) -> None:
        """The end of a run."""
        self.catalog.finish_run(FEED, run)
        for place in [place for place in self.rejected if place[1] != run]:
            del self.rejected[place]

    def _edit(self, wish: Wish, run: str) -> Edit:
        if wish.kind == "delete":
            return self._delete(wish.item_id)
        if wish.kind == "reject":
            return self._reject(wish, run)
        old = self.items.get(wish.item_id)
        pairs = list(wish.photos)
        if old is not None and wish.kind != "put":
            pairs = [(image.link, image.digest) for image in old.images]
            if wish.kind == "reorder":
                pairs.reverse()
            elif wish.kind == "replace":
                pairs[-1] = (pairs[-1][0], wish.photos[0][1])
        stored = {image.digest for item in self.items.values() for image in item.images}
        images = [
            photo(link, digest, extracted=wish.extracted or digest not in stored, views=VIEWS[digest])
            for link, digest in pairs
        ]
        new = put(wish.item_id, *images, attributes={"price": wish.price}, feed_id=wish.feed, row_digest=str(wish))
        if old is not None and wish.kind == "again":
            new = replace(old, images=new.images)
        self._log_put(old, new)
        self.items[wish.item_id] = new
        return new

    def _log_put(self, old: ItemPut | None, new: ItemPut) -> None:
        def photos_of(item: ItemPut) -> list[tuple[str, str]]:
            return [(image.link, image.digest) for image in item.images]

        if old is None or photos_of(old) != photos_of(new):
            self.log.append((ChangeKind.PUT, new.item.item_id))
        elif (old.item, old.feed_id) != (new.item, new.feed_id):
            self.log.append((ChangeKind.ATTRIBUTES, new.item.item_id))

    def _delete(self, item_id: str) -> ItemDelete:
        if self.items.pop(item_id, None) is not None:
            self.log.append((ChangeKind.DELETE, item_id))
        for place in [place for place in self.rejected if place[0] == item_id]:
            del self.rejected[place]
        # Deleted and put again in one batch: the old keys must not be expected to stay.
        for known in [known for known in self.keys if known[0] == item_id]:
            del self.keys[known]
        return ItemDelete(item_id)

    def _reject(self, wish: Wish, run: str) -> ItemRejections:
        edit = reject(wish.item_id, *([wish.code] if wish.code else []), run=run)
        for place in [place for place in self.rejected if place[0] == wish.item_id]:
            del self.rejected[place]
        if edit.rejections:
            self.rejected[wish.item_id, run] = edit.rejections
        return edit

    @invariant()
    def items_agree(self) -> None:
        """Every item is what was put last."""
        for item_id in IDS:
            stored, expected = self.catalog.get(item_id), self.items.get(item_id)
            if expected is None:
                assert stored is None
                continue
            assert stored is not None
            assert (stored.item, stored.feed_id) == (expected.item, expected.feed_id)
            assert [(i.link, i.digest) for i in stored.images] == [(i.link, i.digest) for i in expected.images]
            assert stored.seq == max(seq for seq, (_, of) in enumerate(self.log, 1) if of == item_id)

    @invariant()
    def known_agrees(self) -> None:
        """The plan would see what was put last."""
        assert self.catalog.known(IDS, collection=CARD) == {
            item_id: KnownItem(
                item_id,
                item.feed_id,
                item.row_digest,
                tuple(KnownImage(image.link, image.digest, None, None) for image in item.images),
            )
            for item_id, item in self.items.items()
        }

    @invariant()
    def keys_agree(self) -> None:
        """Each key has its photo's vector; photos that stayed kept their keys; new ones have keys never seen before."""
        held, vectors = indexed(self.catalog), vectors_by_key(self.catalog)
        assert set(held) == set(self.items)
        now: dict[tuple[str, str, str], tuple[int, ...]] = {}
        for item_id, item in self.items.items():
            expected = [(i.link, i.digest, nth) for i in item.images for nth in range(VIEWS[i.digest])]
            assert list(held[item_id].images) == [link for link, _, _ in expected]
            assert held[item_id].attributes == item.item.attributes
            for key, (link, digest, nth) in zip(held[item_id].keys.tolist(), expected, strict=True):
                assert np.allclose(vectors[key], vector_of(digest, nth), atol=1e-3)
                now[item_id, link, digest] = (*now.get((item_id, link, digest), ()), key)
        assert sorted(vectors) == sorted(key for keys in now.values() for key in keys)
        for place, keys in now.items():
            if place in self.keys and self.keys[place] != keys:
                # Replaced within one batch and back again: then the keys are new.
                assert not set(keys) & self.used
            elif place not in self.keys:
                assert not set(keys) & self.used
        self.keys = now
        self.used.update(vectors)

    @invariant()
    def log_agrees(self) -> None:
        """The log tells every change once, numbered without gaps."""
        changes = self.catalog.changes(0, limit=10_000)
        assert [(change.kind, change.item_id) for change in changes] == self.log
        assert [change.seq for change in changes] == list(range(1, len(self.log) + 1))
        assert self.catalog.seq() == len(self.log)

    @invariant()
    def counts_agree(self) -> None:
        """Rejections and counts are what the dictionary says."""
        found = sorted((r.item_id or "", r.code) for _, r in self.catalog.rejections())
        assert found == sorted((r.item_id or "", r.code) for rs in self.rejected.values() for r in rs)
        stats = self.catalog.stats()
        assert stats.items == len(self.items)
        assert stats.groups == len(self.items)
        assert stats.images == sum(len(item.images) for item in self.items.values())
        assert stats.vectors == {CARD: sum(VIEWS[i.digest] for item in self.items.values() for i in item.images)}
        assert stats.rejections == len(found)
        assert stats.feeds == {FEED: sum(item.feed_id == FEED for item in self.items.values())}

    def teardown(self) -> None:
        """Close and clean up."""
        self.catalog.close()
        shutil.rmtree(self.folder)


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_catalog_equals_a_dictionary(adapter: str) -> None:
    """Puts, edits of attributes, replaced photos, deletes, re-adds and rejections, in any order and any batches."""
    machine = type("Machine", (CatalogMachine,), {"adapter": adapter})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=12,
            deadline=None,
            # Twelve steps are short enough to read; to shrink them takes minutes of waiting for the disk.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
