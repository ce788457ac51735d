"""Edits by clients: over a real catalog and real originals, with an extractor that needs no model."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitari.catalog.base import ChangeKind, Edit, FeedRow, ItemDelete
from nitari.catalog.feeds.submitted import read_submitted
from nitari.catalog.sql import SqlCatalog
from nitari.errors import DependencyError, FetchError, UsageError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.cache import OriginalsCache
from nitari.images.links import LinkSource
from nitari.images.uploads import UploadSource
from nitari.ingest.edit import ROUND, Draft, Edited, Editor, Operation, delete_items
from nitari.ingest.worker import Ingester
from nitari.types import Item
from support.extraction import text_extractor

A, B, C = (f"https://shop.example/{name}.jpg" for name in "abc")


def upload(data: bytes) -> str:
    """The link of an uploaded photo."""
    return f"upload:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Web:
    """What stands behind http links, and how often it was asked for."""

    photos: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The photo; ``NotModified`` where its digest is the known etag."""
        self.fetched.append(link)
        if link not in self.photos:
            raise FetchError(f"{link} is not there", remedy="correct it", code="http-status")
        data = self.photos[link]
        digest = hashlib.sha256(data).hexdigest()
        if known is not None and known.etag == digest:
            return NotModified()
        return Original(data, digest, Validators(digest))

    def close(self) -> None:
        """Nothing to close."""


class Counting(SqlCatalog):
    """Counts transactions, and lets a test act or fail before one."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as it is
        self.transactions: list[int] = []
        self.before: list[BaseException | Sequence[Edit] | None] = []

    def apply(self, edits: Sequence[Edit], *, collection: str) -> int:
        """As the catalog does, after what the test wants first."""
        first = self.before.pop(0) if self.before else None
        if isinstance(first, BaseException):
            raise first
        if first is not None:
            super().apply(first, collection=collection)
        self.transactions.append(len(edits))
        return super().apply(edits, collection=collection)


@dataclass
class Bench:
    """An editor, and what it works on."""

    catalog: Counting
    web: Web
    originals: OriginalsCache
    editor: Editor

    def photos(self, item_id: str) -> list[str]:
        """Links of an item's usable photos."""
        stored = self.catalog.get(item_id)
        return [] if stored is None else [image.link for image in stored.images]

    def kinds(self) -> list[ChangeKind]:
        """What the change log says."""
        return [change.kind for change in self.catalog.changes(0)]


@contextmanager
def opened(folder: Path) -> Iterator[Bench]:
    """A bench in a folder."""
    with Counting.open(folder / "catalog.sqlite") as catalog:
        assert isinstance(catalog, Counting)
        web, originals = Web({A: b"a", B: b"b", C: b"c"}), OriginalsCache(folder / "originals")
        editor = Editor(
            catalog=catalog,
            extractor=text_extractor(),
            source=LinkSource(web=web, files=None, uploads=UploadSource(originals)),
            originals=originals,
            read=read_submitted,
            workers=2,
        )
        yield Bench(catalog, web, originals, editor)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench of this test's own."""
    with opened(tmp_path) as made:
        yield made


def test_created_replaced_unchanged_deleted_absent(bench: Bench) -> None:
    """Each edit says what became of the item, and from which change on it can be seen."""
    draft = Draft("x", "T", image_links=(A,), attributes={"price": 5.0})
    steps: list[tuple[Operation, str]] = [
        (draft, "created"),
        (draft, "unchanged"),
        (Draft("x", "T", image_links=(A,), attributes={"price": 6.0}), "replaced"),
        (ItemDelete("x"), "deleted"),
        (ItemDelete("x"), "absent"),
    ]
    for operation, result in steps:
        (edited,) = bench.editor.apply([operation])
        assert (edited.result, edited.error, edited.seq) == (result, None, bench.catalog.seq())
    assert bench.kinds() == [ChangeKind.PUT, ChangeKind.ATTRIBUTES, ChangeKind.DELETE]


def test_an_edit_of_attributes_fetches_nothing(bench: Bench) -> None:
    """Photos that are stored are kept as they are; asked to, they are looked at again, conditionally."""
    bench.editor.put(Draft("x", image_links=(A, B)))
    bench.web.fetched.clear()
    for price in range(3):
        bench.editor.put(Draft("x", image_links=(A, B), attributes={"price": float(price)}))
    assert bench.web.fetched == []
    bench.web.photos[A] = b"new"
    assert bench.editor.put(Draft("x", image_links=(A, B), refetch=True)).result == "replaced"
    assert bench.web.fetched == [A, B]
    stored = bench.catalog.get("x")
    assert stored is not None
    assert stored.images[0].digest == hashlib.sha256(b"new").hexdigest()


def test_only_new_photos_are_fetched(bench: Bench) -> None:
    """Of links in another order with one more, only that one is; one that is left out goes."""
    bench.editor.put(Draft("x", image_links=(A, B)))
    bench.web.fetched.clear()
    bench.editor.put(Draft("x", image_links=(C, A)))
    assert bench.web.fetched == [C]
    assert bench.photos("x") == [C, A]


def test_photos_of_an_item_are_fetched_side_by_side(bench: Bench) -> None:
    """Several at a time, and yet in their order."""
    links = tuple(f"https://shop.example/{n}.jpg" for n in range(9))
    bench.web.photos.update({link: link.encode() for link in links})
    together = threading.Barrier(2, timeout=60)
    fetch = bench.web.fetch

    def meet(link: str, *, known: Validators | None = None) -> Original | NotModified:
        if link in links[:2]:
            together.wait()
        return fetch(link, known=known)

    bench.web.fetch = meet  # type: ignore[method-assign]
    bench.editor.put(Draft("x", image_links=links))
    assert bench.photos("x") == list(links)


def test_uploads_come_first_and_are_kept(bench: Bench) -> None:
    """They get links by digest, durable with the item, and can be named later without their bytes."""
    edited = bench.editor.put(Draft("x", image_links=(A,), uploads=(b"one", b"two", b"one")))
    assert edited.image_links == (upload(b"one"), upload(b"two"), A)
    assert bench.photos("x") == list(edited.image_links)
    assert bench.originals.get(upload(b"two").removeprefix("upload:")) == b"two"
    later = bench.editor.put(Draft("x", "T", image_links=edited.image_links))
    assert (later.result, later.rejections) == ("replaced", ())
    assert bench.editor.put(Draft("y", image_links=(upload(b"two"),))).result == "created"


def test_a_damaged_upload_is_mended_by_sending_it_again(bench: Bench, tmp_path: Path) -> None:
    """Even where the item itself does not change."""
    bench.editor.put(Draft("x", uploads=(b"one",)))
    (path,) = (path for path in (tmp_path / "originals").rglob("*") if path.is_file())
    path.write_bytes(b"eno")
    assert bench.editor.put(Draft("x", uploads=(b"one",))).result == "unchanged"
    assert path.read_bytes() == b"one"


def test_unusable_photos(bench: Bench) -> None:
    """One of several is a rejection; with none left nothing is written, and what was uploaded is not kept."""
    edited = bench.editor.put(Draft("x", image_links=(A, "https://shop.example/gone.jpg"), uploads=(b"broken",)))
    assert edited.result == "created"
    assert [(r.code, r.image_link) for r in edited.rejections] == [
        ("image", upload(b"broken")),
        ("http-status", "https://shop.example/gone.jpg"),
    ]
    assert bench.photos("x") == [A]
    rejected = bench.editor.put(Draft("y", image_links=(upload(b"never"),), uploads=(b"broken",)))
    assert (rejected.result, [r.code for r in rejected.rejections]) == ("rejected", ["image", "upload-missing"])
    assert bench.catalog.get("y") is None
    assert bench.originals.usage().files == 0


def test_an_older_good_photo_stays(bench: Bench) -> None:
    """An item whose new photos are all unusable keeps those it had, and says so."""
    bench.editor.put(Draft("x", image_links=(A,)))
    edited = bench.editor.put(Draft("x", "New", uploads=(b"broken",)))
    assert (edited.result, [r.kept for r in edited.rejections]) == ("replaced", [True])
    assert bench.photos("x") == [A]


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd", "/etc/passwd", "a.jpg", "../a.jpg", "data:image/png;base64,AA", "javascript:alert(1)",
        "ftp://x/a", "//x/a.jpg", "", "https://", "https:///a", "https://x/\n/a", "https://x/a b\x00", "upload:",
        "UPLOAD:00",
        "upload:../../a", f"upload:{'0' * 63}", f"upload:{'A' * 64}", "https://x/" + "a" * 5000, "https://x/\ud800",
        " file:/etc/passwd", "C:\\a.jpg", "blob:https://x/a", "https:\\\\x\\a",
    ],
)  # fmt: skip
def test_links_that_clients_may_not_give(bench: Bench, link: str) -> None:
    """Only http(s) and upload links are; the message names the field, and nothing is looked at."""
    with pytest.raises(UsageError, match=r"image_links\[1\]") as caught:
        bench.editor.put(Draft("x", image_links=(A, link)))
    assert caught.value.code == "image-link"
    caught.value.message.encode()
    assert bench.web.fetched == []
    assert bench.catalog.get("x") is None


@pytest.mark.parametrize(
    "draft",
    [
        Draft("", image_links=(A,)), Draft("a\nb", image_links=(A,)), Draft("x" * 513, image_links=(A,)), Draft("x"),
        Draft("x", group_id="\x00", image_links=(A,)), Draft("x", "T" * 5000, image_links=(A,)),
        Draft("x", image_links=(A,), attributes={"price": "cheap"}),
        Draft("x", image_links=(A,), attributes={"link": "javascript:alert(1)"}),
        Draft("x", image_links=(A,), attributes={"weight": float("nan")}),
    ],
)  # fmt: skip
def test_items_that_cannot_be(bench: Bench, draft: Draft) -> None:
    """They are the caller's fault, before anything is fetched."""
    with pytest.raises(UsageError):
        bench.editor.put(draft)
    assert bench.web.fetched == []


def test_a_batch_goes_on_past_bad_operations(bench: Bench) -> None:
    """Each has its own result, in order, and the good ones are one transaction."""
    operations: list[Operation] = [
        Draft("a", image_links=(A,)),
        Draft("b", image_links=("nowhere",)),
        ItemDelete("\x00"),
        Draft("c", uploads=(b"broken",)),
        ItemDelete("d"),
        Draft("e", image_links=(A,)),
    ]
    edits = bench.editor.apply(operations)
    assert [edited.item_id for edited in edits] == ["a", "b", "\x00", "c", "d", "e"]
    assert [edited.result for edited in edits] == ["created", "rejected", "rejected", "rejected", "absent", "created"]
    assert [edited.error is not None for edited in edits] == [False, True, True, False, False, False]
    assert bench.catalog.transactions == [2]


def test_batches_are_bounded_transactions(bench: Bench) -> None:
    """So many operations make so many transactions; a photo that many share is fetched for each, embedded once."""
    edits = bench.editor.apply([Draft(f"i{n}", image_links=(A,)) for n in range(2 * ROUND + 5)])
    assert {edited.result for edited in edits} == {"created"}
    assert bench.catalog.transactions == [ROUND, ROUND, 5]


@given(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.one_of(st.none(), st.tuples(st.sampled_from([A, B]), st.integers(0, 2)))),
        max_size=12,
    )
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_is_as_its_operations_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, tuple[str, int] | None]]
) -> None:
    """Puts and deletes of the same ids in one batch end, and tell, as they do one after the other."""
    operations: list[Operation] = [
        ItemDelete(name) if what is None else Draft(name, image_links=(what[0],), attributes={"price": float(what[1])})
        for name, what in steps
    ]
    outcomes: list[tuple[object, object]] = []
    for together in (True, False):
        with opened(tmp_path_factory.mktemp("bench")) as bench:
            results: list[Edited] = []
            for some in [operations] if together else [[operation] for operation in operations]:
                results += bench.editor.apply(some)
            stored = [bench.catalog.get(name) for name in "xyz"]
            outcomes.append(
                ([edited.result for edited in results], [(one.item, one.images) if one else None for one in stored])
            )
    assert outcomes[0] == outcomes[1]


def test_a_concurrent_delete_is_survived(bench: Bench) -> None:
    """An item whose stored features vanish between look and commit is looked at again."""
    bench.editor.put(Draft("x", image_links=(A,)))
    bench.catalog.before = [[ItemDelete("x")]]
    edited = bench.editor.put(Draft("x", "New", image_links=(A,)))
    assert edited.result == "created"
    assert bench.photos("x") == [A]


def test_others_in_a_batch_are_none_the_worse_for_a_contended_item(bench: Bench) -> None:
    """Where somebody deletes an item again and again, the rest of its round is done by itself."""
    bench.editor.apply([Draft(name, image_links=(A,)) for name in "xy"])
    gone = [ItemDelete("x"), ItemDelete("y")]
    bench.catalog.before = [gone, gone, gone]
    edits = bench.editor.apply([Draft("x", "1", image_links=(A,)), Draft("z", "1", image_links=(B,))])
    assert [edited.error for edited in edits] == [None, None]


def test_an_outage_is_told_once_and_soon(bench: Bench) -> None:
    """A catalog that does not answer fails what is left, without waiting for each round."""
    bench.catalog.before = [None, DependencyError("locked")]
    edits = bench.editor.apply([Draft(f"i{n}", image_links=(A,)) for n in range(3 * ROUND)])
    assert [edited.error is None for edited in edits] == [True] * ROUND + [False] * 2 * ROUND
    assert len(bench.catalog.transactions) == 1


def test_two_editors_of_one_item_end_in_one_of_its_states(bench: Bench, tmp_path: Path) -> None:
    """Title, photos and attributes are always of one and the same edit."""
    drafts = [
        Draft("x", "0", image_links=(A, B), attributes={"n": "0"}),
        Draft("x", "1", image_links=(B,), attributes={"n": "1"}, uploads=(b"up",)),
        Draft("x", "2", image_links=(C, A), attributes={"n": "2"}),
    ]
    links = [(A, B), (upload(b"up"), B), (C, A)]
    mixed: list[object] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            stored = bench.catalog.get("x")
            if stored is not None:
                n = int(stored.item.title)
                found = (stored.item.attributes["n"], tuple(image.link for image in stored.images))
                if found != (str(n), links[n]):
                    mixed.append(found)

    def edit(draft: Draft) -> list[Edited]:
        with opened(tmp_path) as other:  # an editor of its own, as another process would have
            return [one for _ in range(8) for one in other.editor.apply([draft, ItemDelete("x"), draft])]

    with ThreadPoolExecutor(4) as pool:
        watching = pool.submit(watch)
        results = list(pool.map(edit, drafts))
        done.set()
        watching.result()
    assert mixed == []
    assert {edited.error for one in results for edited in one} == {None}


def test_an_api_edit_takes_over_from_a_feed_and_back(bench: Bench) -> None:
    """The item belongs to nobody after an edit, and to its feed after the next import."""

    class Feed:
        feed_id, image_base, size_hint = "feed", None, None

        def read(self) -> Iterator[FeedRow]:
            yield FeedRow(Item("x", (A,)), "line 2")

    ingester = Ingester(catalog=bench.catalog, extractor=text_extractor(), sources=lambda _base: bench.web)
    ingester.run(Feed())
    assert bench.editor.put(Draft("x", image_links=(A,))).result == "replaced"
    stored = bench.catalog.get("x")
    assert stored is not None
    assert stored.feed_id is None
    ingester.run(Feed())
    stored = bench.catalog.get("x")
    assert stored is not None
    assert stored.feed_id == "feed"


def test_a_full_disk_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload that cannot be kept is no edit: what is acknowledged is durable."""

    def fail(_original: Original) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench.originals, "put", fail)
    with pytest.raises(DependencyError, match="No space left"):
        bench.editor.put(Draft("x", uploads=(b"one",)))
    assert bench.catalog.get("x") is None


def test_delete_items_needs_no_editor(bench: Bench) -> None:
    """Unknown ids are told apart, duplicates count once."""
    bench.editor.put(Draft("a", image_links=(A,)))
    assert delete_items(bench.catalog, ["a", "a", "nope"], collection=text_extractor().collection) == ("a",)
    assert bench.catalog.get("a") is None
