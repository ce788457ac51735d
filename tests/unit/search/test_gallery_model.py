"""Whatever happens to catalog and index: a gallery that follows equals one that is opened anew."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from nitari.catalog.base import Edit, ItemDelete
from nitari.search import following, tables
from nitari.search import items as items_module
from nitari.search.query import Query
from support.catalogs import photo, put, vector_of
from support.galleries import Kept, apply, damage, open_gallery, searcher_of

ITEMS = tuple("abcdef")
DIGESTS = tuple(f"digest {number}" for number in range(6))


class Following(RuleBasedStateMachine):
    """Random edits, refreshes and restarts: a gallery that follows equals one that is opened anew."""

    @initialize()
    def open(self) -> None:
        """An empty catalog with a gallery; everything happens in small steps, so that all paths are taken."""
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(items_module, "_DEAD_AT_LEAST", 3)
        self.patch.setattr(following, "_CHANGES_AT_ONCE", 4)
        self.patch.setattr(tables, "_ITEMS_AT_ONCE", 2)
        self.folder = tempfile.TemporaryDirectory()
        self.kept = Kept(Path(self.folder.name))
        self.catalog = self.kept.catalog
        self.gallery = self.kept.open()

    @rule(
        data=st.data(),
        names=st.lists(st.sampled_from(ITEMS), min_size=1, max_size=4),
    )
    def edit(self, data: st.DataObject, names: list[str]) -> None:
        """One transaction that puts and deletes a few items."""
        edits: list[Edit] = []
        for name in names:
            links = data.draw(st.lists(st.sampled_from(["1.jpg", "2.jpg", "3.jpg"]), max_size=3, unique=True))
            if not links:
                edits.append(ItemDelete(name))
                continue
            photos = [
                photo(link, data.draw(st.sampled_from(DIGESTS)), views=data.draw(st.integers(1, 2))) for link in links
            ]
            color = data.draw(st.sampled_from(["red", "blue", ("red", "blue")]))
            price = float(data.draw(st.integers(0, 3)))
            group = data.draw(st.sampled_from(["g", "h", ""]))
            edits.append(put(name, *photos, group_id=group, attributes={"color": color, "price": price}))
        apply(self.catalog, *edits)

    @rule()
    def refresh(self) -> None:
        """Catch up without looking."""
        self.gallery.refresh()

    @rule(settle=st.booleans())
    def maintain(self, settle: bool) -> None:
        """Seal, merge and save what is due."""
        self.kept.maintainer.run_once(settle=settle)

    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        """Some file of the index loses its last byte."""
        files = [path for path in sorted(self.kept.store.folder.rglob("*.*")) if path.is_file() and path.stat().st_size]
        if files:
            path: Path = data.draw(st.sampled_from(files))
            damage(path)

    @rule()
    def restart(self) -> None:
        """Start over from what is published, which is perhaps long out of date."""
        self.gallery = self.kept.open()

    @rule(digest=st.sampled_from(DIGESTS), wanted=st.sampled_from(["red", "blue"]))
    def compare(self, digest: str, wanted: str) -> None:
        """The same answers to all kinds of queries as a gallery opened now."""
        self.gallery.refresh()
        fresh = open_gallery(self.catalog)
        assert self.gallery.seq == fresh.seq == self.catalog.seq()
        one, other = searcher_of(self.gallery), searcher_of(fresh)
        assert replace(one.stats(), damaged=0) == other.stats()
        assert one.known_attributes() == other.known_attributes()
        there = [hit.item_id for hit in one.search(Query(vector=vector_of(digest), k=100)).hits]
        queries = [
            Query(vector=vector_of(digest)),
            Query(vector=vector_of(digest), filter={"color": wanted, "price": {"gte": 1}}, k=2, offset=1),
            Query(vector=vector_of(digest), group_by="group"),
            *(Query(item_id=item_id, filter={"not": {"color": wanted}}) for item_id in there),
        ]
        if len(there) > 2:
            queries.append(Query(liked=tuple(there[:2]), disliked=(there[2],)))
        for query in queries:
            mine, expected = one.search(query), other.search(query)
            assert (mine.hits, mine.more) == (expected.hits, expected.more)

    def teardown(self) -> None:
        """Close everything."""
        if hasattr(self, "kept"):
            self.kept.close()
            self.folder.cleanup()
            self.patch.undo()


Following.TestCase.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFollowing = Following.TestCase
