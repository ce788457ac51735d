"""Collections filled beside others: from what is kept, resumed after any end, right while others edit."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nitari.catalog.base import ItemDelete
from nitari.catalog.feeds.submitted import read_submitted
from nitari.catalog.sql import SqlCatalog
from nitari.errors import ModelError
from nitari.extract import Extractor
from nitari.images.base import UPLOAD, ImageSource, NotModified, Original, Validators
from nitari.images.cache import OriginalsCache
from nitari.images.files import FileSource
from nitari.images.kept import NotFetching
from nitari.images.links import LinkSource
from nitari.images.uploads import UploadSource
from nitari.ingest.edit import Draft, Editor
from nitari.ingest.reembed import Reembedder, ReembedReport
from nitari.types import Extraction
from support.catalogs import photo, put, vector_of
from support.dump import dump_catalog
from support.extraction import TextEmbedder, text_extractor

OLD, NEW = "card", "new"
TESTS = Path(__file__).parents[2]


def digest(text: str) -> str:
    """SHA-256 of a photo, which is a text here."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_extractor() -> Extractor:
    """What makes the vectors of the new collection; they are others than the old one's."""
    return text_extractor(embedder=TextEmbedder(name=NEW, salt="new/"))


@dataclass
class Counting:
    """An extractor that counts what it extracts, and does something first."""

    extractor: Extractor = field(default_factory=new_extractor)
    before: Callable[[bytes], None] = lambda _data: None
    extracted: list[bytes] = field(default_factory=list)

    def __getattr__(self, name: str) -> object:
        return getattr(self.extractor, name)

    def extract(self, data: bytes) -> Extraction:
        """As the extractor does."""
        self.before(data)
        self.extracted.append(data)
        return self.extractor.extract(data)


@dataclass
class Bench:
    """A catalog, a folder of photos of a feed, kept originals, and a web that may be followed or not."""

    folder: Path
    catalog: SqlCatalog
    originals: OriginalsCache
    web: dict[str, str] = field(default_factory=dict)

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The web: a photo behind a link."""
        return Original(self.web[link].encode(), digest(self.web[link]))

    def close(self) -> None:
        """The web stays."""

    def source(self, image_base: str | None, *, refetch: bool = False) -> ImageSource:
        """Where photos of a feed are."""
        files = FileSource(Path(image_base)) if image_base else None
        return LinkSource(web=self if refetch else NotFetching(), files=files, uploads=UploadSource(self.originals))

    def reembedder(self, extractor: object = None, *, refetch: bool = False, commit_items: int = 3) -> Reembedder:
        """One that fills the new collection."""
        return Reembedder(
            catalog=self.catalog,
            extractor=extractor or new_extractor(),  # type: ignore[arg-type]  # one that counts is one, too
            originals=self.originals,
            sources=lambda base: self.source(base, refetch=refetch),
            workers=2,
            commit_items=commit_items,
        )

    def local(self, *item_ids: str) -> None:
        """Items of the feed, each with a photo in its folder."""
        for item_id in item_ids:
            (self.folder / f"{item_id}.txt").write_text(item_id)
        puts = [put(item_id, photo(f"{item_id}.txt", digest(item_id)), feed_id="feed") for item_id in item_ids]
        self.catalog.apply(puts, collection=OLD)

    def linked(self, item_id: str, link: str, text: str) -> None:
        """An item that came through the API, with a photo behind a link."""
        self.catalog.apply([put(item_id, photo(link, digest(text)), feed_id=None)], collection=OLD)

    def editor(self, *others: Extractor) -> Editor:
        """A client's hand."""
        return Editor(
            catalog=self.catalog,
            extractor=text_extractor(),
            source=self.source(None, refetch=True),
            originals=self.originals,
            read=read_submitted,
            others=lambda: others,
        )

    def held(self, collection: str = NEW) -> dict[str, tuple[str, ...]]:
        """For each item the photos that can be found in a collection."""
        return {item.item_id: item.images for item in self.catalog.indexed_items(collection=collection)}


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """A bench in ``folder``."""
    photos = folder / "photos"
    photos.mkdir(exist_ok=True)
    with SqlCatalog.open(folder / "catalog.sqlite") as catalog:
        catalog.register_collection(text_extractor().spec)
        catalog.register_feed("feed", str(photos))
        yield Bench(photos, catalog, OriginalsCache(folder / "originals"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench of this test's own."""
    with opened(tmp_path) as made:
        yield made


def test_from_whatever_is_kept(bench: Bench) -> None:
    """Photos of the feed's folder, of the web and uploaded ones get the new vectors; no link is followed."""
    bench.local("a", "b")
    for text in ("linked", "uploaded"):
        bench.originals.put(Original(text.encode(), digest(text)))
    bench.linked("l", "https://shop.example/l.jpg", "linked")
    bench.linked("u", UPLOAD + digest("uploaded"), "uploaded")
    bench.catalog.point("default", OLD)
    counts: list[int] = []
    report = bench.reembedder().run(on_progress=lambda r: counts.append(r.photos))
    assert (report.collection, report.total, report.photos, report.lacks) == (NEW, 4, 4, [])
    assert report.complete
    assert counts == sorted(counts)
    assert counts[-1] == 4
    assert bench.held().keys() == {"a", "b", "l", "u"}
    assert [spec.name for spec in bench.catalog.maintained()] == [OLD, NEW]
    found = bench.catalog.features(digest("linked"), collection=NEW)
    assert found is not None
    assert found.views[0].vector == pytest.approx(vector_of("new/linked"), abs=1e-3)
    again = bench.reembedder().run()
    assert (again.total, again.photos, again.complete) == (0, 0, True)


def test_a_photo_that_items_share_is_embedded_once(bench: Bench) -> None:
    """Its features are copied; each item has its own keys."""
    bench.originals.put(Original(b"shared", digest("shared")))
    bench.linked("x", "https://shop.example/1.jpg", "shared")
    bench.reembedder().run()
    bench.linked("y", "https://shop.example/2.jpg", "shared")
    extractor = Counting()
    report = bench.reembedder(extractor).run()
    assert (report.photos, report.reused, extractor.extracted) == (1, 1, [])
    assert bench.held().keys() == {"x", "y"}


def test_what_cannot_be_had_is_listed_and_can_be_mended(bench: Bench, tmp_path: Path) -> None:
    """Lost, changed, never kept and broken photos are told with item, link, reason and remedy; the rest is done."""
    bench.local("good", "lost", "changed", "broken")
    (bench.folder / "lost.txt").unlink()
    (bench.folder / "changed.txt").write_text("another photo")
    (bench.folder / "broken.txt").write_text("broken")
    bench.catalog.apply([put("broken", photo("broken.txt", digest("broken")), feed_id="feed")], collection=OLD)
    bench.linked("web", "https://shop.example/w.jpg", "web")
    bench.linked("up", UPLOAD + digest("up"), "up")
    bench.catalog.register_feed("moved", str(tmp_path / "not-here"))
    bench.catalog.apply([put("far", photo("far.txt", digest("far")), feed_id="moved")], collection=OLD)
    report = bench.reembedder().run()
    assert {lack.item_id: lack.code for lack in report.lacks} == {
        "lost": "file-missing",
        "changed": "original-changed",
        "broken": "image",
        "web": "original-missing",
        "up": "upload-missing",
        "far": "folder-missing",
    }
    assert all(lack.reason and lack.link for lack in report.lacks)
    assert all(lack.remedy for lack in report.lacks if lack.code != "image")
    assert (report.total, report.photos, report.complete) == (7, 1, True)
    assert sorted(lack.item_id for lack in bench.catalog.lacks(NEW)) == sorted(lack.item_id for lack in report.lacks)
    assert bench.held().keys() == {"good"}
    (bench.folder / "lost.txt").write_text("lost")
    bench.web["https://shop.example/w.jpg"] = "web"
    report = bench.reembedder(refetch=True).run()
    assert (report.photos, sorted(lack.item_id for lack in report.lacks)) == (2, ["broken", "changed", "far", "up"])
    assert bench.held().keys() == {"good", "lost", "web"}
    assert sorted(lack.item_id for lack in bench.catalog.lacks(NEW)) == ["broken", "changed", "far", "up"]


def test_a_folder_that_is_gone_costs_only_what_is_nowhere_else(bench: Bench, tmp_path: Path) -> None:
    """A photo whose bytes are kept does not need its feed's folder any more."""
    bench.catalog.register_feed("moved", str(tmp_path / "not-here"))
    bench.catalog.apply([put("far", photo("far.txt", digest("far")), feed_id="moved")], collection=OLD)
    bench.originals.put(Original(b"far", digest("far")))
    assert bench.reembedder().run().photos == 1


def test_it_goes_on_where_it_was(bench: Bench) -> None:
    """Stopped after some commits, what was reported is there, and the next run does the rest only."""
    bench.local(*(f"i{n:02}" for n in range(30)))
    reported: list[int] = []

    def interrupt(report: ReembedReport) -> None:
        reported.append(report.photos)
        if len(reported) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.reembedder().run(on_progress=interrupt)
    there = len(bench.held())
    assert reported[-1] <= there < 30
    assert [spec.name for spec in bench.catalog.maintained()] == [NEW]
    extractor = Counting()
    report = bench.reembedder(extractor).run()
    assert (report.total, report.photos, len(extractor.extracted)) == (30 - there, 30 - there, 30 - there)
    assert len(bench.held()) == 30


def test_weights_that_cannot_be_had_end_the_run(bench: Bench) -> None:
    """They are no photo's fault: nothing is recorded against photos, and what was done before is kept."""
    bench.local(*(f"i{n:02}" for n in range(12)))
    extractor = Counting()

    def fail(_data: bytes) -> None:
        if len(extractor.extracted) >= 8:
            raise ModelError("no weights")

    extractor.before = fail
    with pytest.raises(ModelError, match="no weights"):
        bench.reembedder(extractor).run()
    assert 0 < len(bench.held()) < 12
    assert list(bench.catalog.lacks(NEW)) == []


def test_edits_meanwhile_land_in_both(bench: Bench) -> None:
    """Photos put, replaced and deleted while the collection is built are right in both, whoever put them."""
    bench.local(*(f"i{n:02}" for n in range(12)))
    bench.web = {f"https://shop.example/{n}.jpg": f"web {n}" for n in range(4)}
    knowing, unknowing = bench.editor(new_extractor()), bench.editor()
    links = list(bench.web)

    def edit(report: ReembedReport) -> None:
        if report.photos and edits:
            edits.pop()()

    edits: list[Callable[[], object]] = [
        lambda: knowing.put(Draft("k", image_links=(links[0],))),
        lambda: knowing.put(Draft("i05", image_links=(links[1],))),
        lambda: unknowing.put(Draft("i11", image_links=(links[2],))),  # a process from before the building began
        lambda: bench.catalog.apply([ItemDelete("i00"), ItemDelete("i10")], collection=OLD),
    ]
    report = bench.reembedder(refetch=True).run(on_progress=edit)
    assert edits == []
    assert report.lacks == []
    expected = {f"i{n:02}": (f"i{n:02}.txt",) for n in range(12) if n not in (0, 10)}
    expected |= {"k": (links[0],), "i05": (links[1],), "i11": (links[2],)}
    assert bench.held(OLD) == expected
    assert bench.held(NEW) == expected
    after = knowing.put(Draft("late", image_links=(links[3],)))
    assert after.result == "created"
    assert bench.held(NEW) == bench.held(OLD) == expected | {"late": (links[3],)}


def test_an_import_that_is_under_way_is_caught_up_with(bench: Bench) -> None:
    """What is put after the last page was read is done in the same run."""
    bench.local("a")
    extractor = Counting()
    extractor.before = lambda data: bench.local("b") if data == b"a" else None
    assert bench.reembedder(extractor).run().photos == 2
    assert bench.held(NEW).keys() == {"a", "b"}


def test_what_an_alias_names_needs_no_mark(bench: Bench) -> None:
    """Filling up a collection that is in use does not keep it up longer than aliases do."""
    bench.local("a")
    bench.reembedder().run()
    bench.catalog.point("default", NEW)
    bench.local("b")
    assert bench.reembedder().run().photos == 1
    bench.catalog.point("default", OLD)
    bench.catalog.register_collection(text_extractor(embedder=TextEmbedder(name="third")).spec)
    bench.catalog.point("default", "third")
    assert [spec.name for spec in bench.catalog.maintained()] == [OLD, "third"]


# Fills the new collection of a folder, and prints each count once it is committed.
DRIVER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[2])
from test_reembed import Counting, opened
with opened(Path(sys.argv[3])) as bench:
    extractor = Counting(before=lambda _data: time.sleep(0.002))
    bench.reembedder(extractor).run(on_progress=lambda r: print(r.photos, flush=True))
"""


def test_killed_again_and_again_it_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    """Killed after some commits, at whatever line: nothing counted is lost, nothing is there by half or twice."""
    items, killed = 60, 0
    with opened(tmp_path) as bench:
        bench.local(*(f"i{n:02}" for n in range(items)))
    command = [sys.executable, "-c", DRIVER, str(TESTS), str(Path(__file__).parent), str(tmp_path)]
    for after in (0, 1, 3, 2, 4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            counted = [int(process.stdout.readline() or 0) for _ in range(after)]
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
            counted += [int(line) for line in process.stdout.read().split("\n")[:-1]]
        with opened(tmp_path) as bench:
            names = [info.name for info in bench.catalog.collections()]
            there = len(bench.held()) if NEW in names else 0
            assert there >= max(counted, default=0)
    assert killed >= 3
    with opened(tmp_path) as bench:
        bench.reembedder().run()
        (tmp_path / "calm").mkdir()
        with opened(tmp_path / "calm") as calm:
            calm.local(*(f"i{n:02}" for n in range(items)))
            calm.reembedder().run()
            assert dump_catalog(bench.catalog, collection=NEW) == dump_catalog(calm.catalog, collection=NEW)
            assert dump_catalog(bench.catalog, collection=OLD) == dump_catalog(calm.catalog, collection=OLD)
