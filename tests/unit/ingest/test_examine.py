"""New photos get features in every collection that is kept up; what lacks them is never lost, and healed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nitari.catalog.base import ChangeKind, FeedRow
from nitari.catalog.sql import SqlCatalog
from nitari.errors import ImageError, ModelError, NitariError
from nitari.extract import Extractor
from nitari.images.files import FileSource
from nitari.ingest.worker import ImportReport, Ingester
from nitari.types import Extraction, Item
from support.catalogs import vector_of
from support.extraction import TextEmbedder, text_extractor

OLD, NEW = "card", "new"


@dataclass
class Other:
    """The extractor of another collection, which counts, and fails on demand."""

    extractor: Extractor = field(default_factory=lambda: text_extractor(embedder=TextEmbedder(name=NEW, salt="new/")))
    error: NitariError | None = None
    extracted: int = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.extractor, name)

    def extract(self, data: bytes) -> Extraction:
        """As the extractor does."""
        self.extracted += 1
        if self.error is not None:
            raise self.error
        return self.extractor.extract(data)


@dataclass
class Bench:
    """A catalog with two collections, and a feed of photos (texts, here) in a folder."""

    folder: Path
    catalog: SqlCatalog
    other: Other = field(default_factory=Other)
    up: bool = True

    def run(self, *item_ids: str, extractor: Extractor | None = None) -> ImportReport:
        """Import these; a photo is a file with the item's id, two items ``x-1`` and ``x-2`` share the photo ``x``."""
        ingester = Ingester(
            catalog=self.catalog,
            extractor=extractor or text_extractor(),
            sources=lambda base: FileSource(Path(str(base))),
            others=lambda: [self.other] if self.up else [],  # type: ignore[list-item]  # one that counts is one
        )
        return ingester.run(Rows(self.folder, item_ids))

    def write(self, **photos: str) -> None:
        """Photos, by link without its end."""
        for name, text in photos.items():
            (self.folder / f"{name}.txt").write_text(text)

    def held(self, collection: str) -> set[str]:
        """The items that can be found in a collection."""
        return {item.item_id for item in self.catalog.indexed_items(collection=collection)}


@dataclass
class Rows:
    """A feed of items, each with the photo that bears its name up to a hyphen."""

    folder: Path
    item_ids: tuple[str, ...]
    feed_id: str = "feed"
    size_hint: int | None = None

    @property
    def image_base(self) -> str | None:
        """Where the photos are."""
        return str(self.folder)

    def read(self) -> Iterator[FeedRow]:
        """The items in order."""
        for item_id in self.item_ids:
            links = tuple(f"{name.partition('-')[0]}.txt" for name in item_id.split("+"))
            yield FeedRow(Item(item_id=item_id, image_links=links), f"line {item_id}")


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """A bench in ``folder``."""
    with SqlCatalog.open(folder / "catalog.sqlite") as catalog:
        bench = Bench(folder, catalog)
        catalog.register_collection(text_extractor().spec)
        catalog.register_collection(bench.other.extractor.spec)
        yield bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench of this test's own."""
    with opened(tmp_path) as made:
        yield made


def test_both_in_one_change(bench: Bench) -> None:
    """A new photo gets each collection's own vectors in the same transaction; only new bytes are extracted."""
    bench.write(a="one", b="two")
    report = bench.run("a", "b", "b-2")
    assert (report.indexed, report.photos) == (3, 3)
    assert bench.held(OLD) == bench.held(NEW) == {"a", "b", "b-2"}
    assert [change.kind for change in bench.catalog.changes(0)] == [ChangeKind.PUT] * 3
    assert list(bench.catalog.lacking(NEW)) == []
    for collection, salt in ((OLD, ""), (NEW, "new/")):
        (item,) = bench.catalog.indexed_items(collection=collection, item_ids=["a"])
        ((_, vectors),) = bench.catalog.vectors(collection=collection, keys=item.keys)
        assert vectors[0] == pytest.approx(vector_of(f"{salt}one"), abs=1e-3)
    counted = bench.other.extracted
    assert bench.run("a", "b", "b-2").unchanged == 3
    bench.write(a="three")
    bench.run("a", "b", "b-2")
    assert bench.other.extracted == counted + 1
    assert list(bench.catalog.lacking(NEW)) == []


@pytest.mark.parametrize("error", [ModelError("no weights"), ImageError("too odd for it")])
def test_another_collections_trouble_is_its_own(
    bench: Bench, error: NitariError, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails there is logged and left lacking; the import goes on, and nothing is rejected."""
    bench.write(a="one")
    bench.other.error = error
    with caplog.at_level(logging.WARNING):
        report = bench.run("a")
    assert (report.indexed, report.rejections) == (1, 0)
    assert (bench.held(OLD), bench.held(NEW)) == ({"a"}, set())
    assert [photo.item_id for photo in bench.catalog.lacking(NEW)] == ["a"]
    assert [record.__dict__["collection"] for record in caplog.records] == [NEW]


def test_the_next_import_heals_the_collection_in_use(bench: Bench) -> None:
    """After a switch, photos that the new collection lacks are extracted though nothing about them has changed."""
    bench.write(a="one", b="two")
    bench.up = False
    bench.run("a", "b")
    report = bench.run("a", "b", extractor=bench.other.extractor)
    assert (report.indexed, report.photos) == (2, 2)
    assert bench.held(OLD) == bench.held(NEW) == {"a", "b"}
    assert bench.run("a", "b", extractor=bench.other.extractor).unchanged == 2


def test_what_cannot_be_had_after_a_switch_is_not_lost_to_the_way_back(bench: Bench) -> None:
    """A lost photo that the new collection lacks stays in the old one; the rejection does not call it kept."""
    bench.write(a="one", b="two", c="three")
    bench.up = False
    bench.run("a+b", "c")
    keys = {item.item_id: item.keys.tolist() for item in bench.catalog.indexed_items(collection=OLD)}
    for name in ("b", "c"):
        (bench.folder / f"{name}.txt").unlink()
    bench.run("a+b", "c", extractor=bench.other.extractor)
    assert bench.held(NEW) == {"a+b"}
    assert {item.item_id: item.keys.tolist() for item in bench.catalog.indexed_items(collection=OLD)} == keys
    found = {rejection.image_link: rejection.kept for _, rejection in bench.catalog.rejections()}
    assert found == {"b.txt": False, "c.txt": False}
    bench.write(b="two", c="three")
    bench.run("a+b", "c", extractor=bench.other.extractor)
    assert bench.held(NEW) == {"a+b", "c"}
    assert list(bench.catalog.rejections()) == []
