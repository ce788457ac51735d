"""Imports, with real files and a real catalog, and an extractor that needs no model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from nitari.catalog.base import ChangeKind, FeedRow
from nitari.catalog.sql import SqlCatalog
from nitari.errors import DependencyError, FeedError, NitariError, SyncRefusedError
from nitari.images.base import ImageSource
from nitari.images.files import FileSource
from nitari.ingest.worker import ImportReport, Ingester
from nitari.types import Item, Rejection
from support.extraction import text_extractor


@dataclass
class ListFeed:
    """A feed from a list; what is an exception in it is raised there."""

    folder: Path
    entries: list[FeedRow | Rejection | BaseException]
    feed_id: str = "feed"
    size_hint: int | None = None

    @property
    def image_base(self) -> str | None:
        """Where the photos are."""
        return str(self.folder)

    def read(self) -> Iterator[FeedRow | Rejection]:
        """The entries in order."""
        for entry in self.entries:
            if isinstance(entry, BaseException):
                raise entry
            yield entry


@dataclass
class Bench:
    """A catalog, an ingester over it, and a folder of photos (texts, here) to import."""

    folder: Path
    catalog: SqlCatalog
    ingester: Ingester

    def row(self, item_id: str, text: str | None = None, **changes: object) -> FeedRow:
        """A row whose photo holds ``text``; ``None`` leaves the file as it is."""
        link = f"{item_id}.txt"
        if text is not None:
            (self.folder / link).write_text(text)
        item = Item(item_id=item_id, image_links=(link,))
        return FeedRow(replace(item, **changes), f"line {item_id}")  # type: ignore[arg-type]  # a test's shorthand

    def run(
        self, *entries: FeedRow | Rejection | BaseException, feed_id: str = "feed", **options: bool
    ) -> ImportReport:
        """Import these."""
        return self.ingester.run(ListFeed(self.folder, list(entries), feed_id), **options)

    def rejections(self) -> list[Rejection]:
        """What is rejected now."""
        return [rejection for _feed, rejection in self.catalog.rejections()]


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """A bench in ``folder``."""

    def source(image_base: str | None) -> ImageSource:
        assert image_base is not None
        return FileSource(Path(image_base))

    with SqlCatalog.open(folder / "catalog.sqlite") as catalog:
        ingester = Ingester(
            catalog=catalog, extractor=text_extractor(), sources=source, workers=2, fetchers=4, commit_items=3
        )
        yield Bench(folder, catalog, ingester)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench of this test's own."""
    with opened(tmp_path) as made:
        yield made


def test_counts_and_skips(bench: Bench) -> None:
    """New items are indexed; the same feed again changes nothing."""
    rows = [bench.row(f"{n:02}", f"photo {n}") for n in range(10)]
    first = bench.run(*rows)
    assert (first.rows, first.indexed, first.photos, first.complete) == (10, 10, 10, True)
    seq = bench.catalog.seq()
    again = bench.run(*rows)
    assert (again.rows, again.unchanged, again.photos) == (10, 10, 0)
    assert bench.catalog.seq() == seq


def test_attributes_change_without_vectors(bench: Bench) -> None:
    """A new price makes an ATTRIBUTES change and embeds nothing."""
    bench.run(bench.row("a", "photo"))
    report = bench.run(bench.row("a", attributes={"price": 5.0}))
    assert (report.updated, report.photos) == (1, 0)
    assert [change.kind for change in bench.catalog.changes(0)] == [ChangeKind.PUT, ChangeKind.ATTRIBUTES]


def test_only_the_changed_photo_is_embedded(bench: Bench) -> None:
    """Of two photos, one replaced: one embedded."""
    (bench.folder / "1.txt").write_text("one")
    (bench.folder / "2.txt").write_text("two")
    row = FeedRow(Item(item_id="a", image_links=("1.txt", "2.txt")), "line 2")
    assert bench.run(row).photos == 2
    (bench.folder / "2.txt").write_text("three")
    assert bench.run(row).photos == 1


def test_photo_moves_from_item_to_item(bench: Bench) -> None:
    """A photo that leaves one item and comes to another in the same batch keeps its features."""
    bench.run(bench.row("a", "shared"), bench.row("b", "other"))
    bench.run(bench.row("a", "fresh"), bench.row("b", "shared"))
    found = bench.catalog.get("b")
    assert found is not None
    assert len(list(bench.catalog.indexed_items(collection=text_extractor().collection))) == 2


def test_missing_photo_is_recorded_then_forgotten(bench: Bench) -> None:
    """A rejection stands as long as it holds."""
    report = bench.run(bench.row("a"), bench.row("b", "photo"))
    assert (report.indexed, report.rejected, report.rejections) == (1, 1, 1)
    (rejection,) = bench.rejections()
    assert (rejection.item_id, rejection.code, rejection.kept) == ("a", "file-missing", False)
    bench.run(bench.row("a", "photo"), bench.row("b"))
    assert bench.rejections() == []


def test_lost_photo_keeps_its_vector_and_says_so(bench: Bench) -> None:
    """A photo that is gone at the next import stays searchable by what we have."""
    bench.run(bench.row("a", "photo"))
    (bench.folder / "a.txt").unlink()
    report = bench.run(bench.row("a"))
    assert (report.unchanged, report.kept) == (1, 1)
    assert [rejection.kept for rejection in bench.rejections()] == [True]
    assert bench.catalog.get("a") is not None


def test_rows_that_the_feed_rejects(bench: Bench) -> None:
    """They are recorded by place, beside what is wrong with an item of the same id."""
    duplicate = Rejection("duplicate-id", "second row with this id", item_id="a", location="line 9")
    bench.run(bench.row("a"), duplicate, Rejection("bad-row", "ragged", location="line 3"))
    assert sorted(rejection.code for rejection in bench.rejections()) == ["bad-row", "duplicate-id", "file-missing"]


def test_bad_attribute_costs_the_attribute_only(bench: Bench) -> None:
    """The item goes in, the rejection is recorded beside it."""
    row = replace(bench.row("a", "photo"), rejections=(Rejection("attribute", "price is 'cheap'", item_id="a"),))
    report = bench.run(row)
    assert (report.indexed, report.rejected, report.rejections) == (1, 0, 1)
    assert bench.run(row).unchanged == 1
    assert [rejection.code for rejection in bench.rejections()] == ["attribute"]


def test_sync_deletes_only_this_feeds_items(bench: Bench) -> None:
    """What left the feed goes; other feeds' items, and rejected rows, stay."""
    bench.run(bench.row("other", "x"), feed_id="other")
    bench.run(*(bench.row(f"{n}", f"photo {n}") for n in range(10)))
    (bench.folder / "1.txt").unlink()
    report = bench.run(*(bench.row(f"{n}") for n in range(9)), sync=True)
    assert (report.deleted, report.kept) == (1, 1)
    assert [bench.catalog.get(item_id) is not None for item_id in ("9", "1", "other")] == [False, True, True]


def test_sync_refuses_to_empty_the_shop(bench: Bench) -> None:
    """More than a fifth is refused, after everything else was done; --allow-delete does it."""
    bench.run(*(bench.row(f"{n}", f"photo {n}") for n in range(10)))
    with pytest.raises(SyncRefusedError, match="7 of 10"):
        bench.run(bench.row("0"), bench.row("1"), bench.row("2", "new photo"), sync=True)
    assert bench.catalog.stats().items == 10
    assert bench.run(*(bench.row(f"{n}") for n in range(3)), sync=True, allow_delete=True).deleted == 7


def test_sync_without_a_change_of_mind(bench: Bench) -> None:
    """An unreadable row may be any item, so nothing is deleted on its account."""
    bench.run(*(bench.row(f"{n}", f"photo {n}") for n in range(10)))
    rows = [bench.row(f"{n}") for n in range(9)]
    with pytest.raises(SyncRefusedError, match="no readable id"):
        bench.run(*rows, Rejection("bad-row", "ragged", location="line 11"), sync=True)


@pytest.mark.parametrize("error", [FeedError("truncated"), DependencyError("truncated")], ids=["feed", "database"])
def test_feed_that_breaks_off_keeps_what_came_before(bench: Bench, error: NitariError) -> None:
    """Rows before the fault are committed, rejections of earlier runs are not forgotten, nothing is deleted."""
    bench.run(bench.row("gone", "x"), bench.row("bad"))
    rows = [bench.row(f"{n}", f"photo {n}") for n in range(5)]
    with pytest.raises(type(error), match="truncated"):
        bench.run(*rows, error, sync=True)
    assert bench.catalog.stats().items == 6
    assert [rejection.item_id for rejection in bench.rejections()] == ["bad"]


def test_interruption_commits_what_was_finished(bench: Bench) -> None:
    """Ctrl-C after the second commit: each reported count is in the catalog, and the same import goes on there."""
    counts: list[int] = []
    rows = [bench.row(f"{n:02}", f"photo {n}") for n in range(40)]

    def interrupt(report: ImportReport) -> None:
        counts.append(report.indexed)
        if len(counts) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.ingester.run(ListFeed(bench.folder, list(rows)), on_progress=interrupt)
    there = bench.catalog.stats().items
    assert 6 <= counts[-1] <= there < 40
    report = bench.run(*rows)
    assert (report.unchanged, report.indexed) == (there, 40 - there)
