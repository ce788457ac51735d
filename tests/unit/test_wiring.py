"""What clients can reach through the parts that wiring puts together for the server."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from PIL import Image

from nitari import wiring
from nitari.errors import NotFoundError, UsageError
from nitari.ingest.edit import Draft
from nitari.ingest.job_files import Job
from nitari.ingest.jobs import ImportRequest
from nitari.recipes import Extractors
from nitari.server.services import Services
from nitari.settings import load_settings
from nitari.snapshots.manifest import object_name
from support.extraction import TextEmbedder, text_extractor
from support.web import Answer, Web, running_web

PATIENCE_S = 60.0


@pytest.fixture
def web() -> Iterator[Web]:
    """A shop's server."""
    with running_web() as running:
        yield running


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Everything the server stands on, but for the networks; loopback counts as the web."""
    monkeypatch.setattr(wiring, "open_extractor", lambda _settings: text_extractor())
    settings = load_settings(home=tmp_path / "home", http={"allow_private": True, "retries": 0})
    with wiring.open_services(settings) as opened:
        yield opened


def finished(services: Services, request: ImportRequest) -> Job:
    """The job of a request, once it has ended."""
    job = services.jobs.submit(request)
    end = monotonic() + PATIENCE_S
    while not (job := services.jobs.get(job.job_id)).finished:
        assert monotonic() < end
        sleep(0.02)
    return job


def photo(color: str) -> bytes:
    """A PNG of one color."""
    file = io.BytesIO()
    Image.new("RGB", (32, 32), color).save(file, "PNG")
    return file.getvalue()


def test_edits_and_their_pictures(services: Services, web: Web) -> None:
    """Linked and uploaded photos are searchable after a refresh, and have pictures."""
    link = web.serve("/a.png", Answer(200, photo("red")))
    edited = services.editor().put(Draft("x", "X", image_links=(link,), uploads=(photo("blue"),)))
    assert edited.result == "created"
    assert edited.image_links[1:] == (link,)
    services.searchers.refresh()
    for each in edited.image_links:
        assert services.pictures.thumbnail("x", link=each, size=16).data[:2] == b"\xff\xd8"
    with pytest.raises(NotFoundError):
        services.pictures.thumbnail("x", link="file:///etc/passwd", size=16)


def test_an_uploaded_feed_reaches_no_file_of_the_server(services: Services, web: Web, tmp_path: Path) -> None:
    """Paths are rejected item by item, with a reason, even where a photo lies there; web links are followed."""
    beside = tmp_path / "home" / "jobs" / "beside.png"
    beside.write_bytes(photo("red"))
    link = web.serve("/a.png", Answer(200, photo("red")))
    links = [link, "beside.png", str(beside), f"file://{beside}", "../originals/x", "upload:" + "0" * 64]
    rows = "".join(f"i{n},{each}\n" for n, each in enumerate(links))
    services.jobs.start(lambda: None)
    job = finished(services, ImportRequest("../../shop.csv", data=f"id,image_link\n{rows}".encode()))
    assert (job.state, job.error) == ("succeeded", None)
    assert job.progress is not None
    assert (job.progress.indexed, job.progress.rejected) == (1, 5)
    found = {rejection.item_id: rejection for _, rejection in services.catalog.rejections(feed_id="upload:shop.csv")}
    assert {name: rejection.code for name, rejection in found.items()} == {
        "i1": "no-folder", "i2": "no-folder", "i3": "blocked-scheme", "i4": "no-folder", "i5": "blocked-scheme",
    }  # fmt: skip
    assert all(rejection.remedy for rejection in found.values())
    stored = services.catalog.get("i0")
    assert stored is not None
    assert (stored.feed_id, stored.image_base) == ("upload:shop.csv", None)


def test_a_feed_at_a_url(services: Services, web: Web) -> None:
    """It is fetched as image links are; its relative links are relative to it; the same again changes nothing."""
    web.serve("/shop/a.png", Answer(200, photo("red")))
    url = web.serve("/shop/feed.csv", Answer(200, b"id,image_link\na,a.png\nb,/etc/passwd\nc,file:///etc/passwd\n"))
    services.jobs.start(lambda: None)
    job = finished(services, ImportRequest(url, feed_id="shop"))
    assert job.progress is not None
    assert (job.state, job.progress.indexed, job.progress.rejected) == ("succeeded", 1, 2)
    codes = {rejection.item_id: rejection.code for _, rejection in services.catalog.rejections()}
    assert codes == {"b": "http-404", "c": "blocked-scheme"}
    assert "/etc/passwd" in web.paths
    again = finished(services, ImportRequest(url, feed_id="shop"))
    assert again.progress is not None
    assert again.progress.unchanged == 1


def test_what_is_built_beside_gets_what_clients_bring(
    services: Services, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edits and imports of a server land in a collection that another process began to build since it started."""
    built = text_extractor(embedder=TextEmbedder(name="beside", salt="beside"))
    monkeypatch.setattr(Extractors, "of", lambda _self, _spec: built)
    link, other = (web.serve(f"/{name}.png", Answer(200, photo(name))) for name in ("red", "blue"))
    services.editor().put(Draft("before", image_links=(link,)))
    services.catalog.register_collection(built.spec)
    services.catalog.maintain("beside")
    services.editor().put(Draft("after", image_links=(other,)))
    services.jobs.start(lambda: None)
    finished(services, ImportRequest("shop.csv", data=f"id,image_link\nimported,{link}\n".encode()))
    held = services.catalog.indexed_items(collection="beside")
    assert [item.item_id for item in held] == ["after", "imported"]
    assert [lacking.item_id for lacking in services.catalog.lacking("beside")] == ["before"]


def test_what_clients_bring_follows_the_alias(services: Services, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits and imports go on when the collection that the server started with is gone."""
    built = text_extractor(embedder=TextEmbedder(name="beside", salt="beside"))
    monkeypatch.setattr(wiring, "open_extractor", lambda _settings, _collection: built)
    link, other = (web.serve(f"/{name}.png", Answer(200, photo(name))) for name in ("red", "blue"))
    services.editor().put(Draft("before", image_links=(link,)))
    services.catalog.register_collection(built.spec)
    services.catalog.point("default", "beside")
    services.searchers.prepare()
    assert services.searchers.current.collection == "beside"
    services.catalog.drop_collection("card")
    assert services.editor().put(Draft("after", image_links=(other,))).result == "created"
    services.jobs.start(lambda: None)
    finished(services, ImportRequest("shop.csv", data=f"id,image_link\nimported,{link}\n".encode()))
    services.searchers.refresh()
    assert services.searchers.current.stats().items == 2
    held = services.catalog.indexed_items(collection="beside")
    assert [item.item_id for item in held] == ["after", "imported"]


def test_snapshots_of_the_home(services: Services, tmp_path: Path) -> None:
    """Where the settings say; without a place, whoever asks is told how to name one."""
    for ask in (services.snapshots.url, services.snapshots.list, services.snapshots.save):
        with pytest.raises(UsageError, match=r"no place for snapshots") as error:
            ask()
        assert error.value.code == "snapshots-unset"
    url = (tmp_path / "snapshots").as_uri()
    settings = load_settings(home=tmp_path / "other", snapshots={"url": url})
    with wiring.open_services(settings) as opened:
        assert list(opened.snapshots.list()) == []
        saved = opened.snapshots.save()
        (listed,) = opened.snapshots.list()
        assert (saved.number, saved.size) == (listed.number, listed.size) == (1, listed.size)
        assert saved.sent > 0
        (tmp_path / "snapshots" / object_name(1)).write_text("{")
        (damaged,) = opened.snapshots.list()
        assert (damaged.number, damaged.at) == (1, None)
        assert damaged.damaged


@pytest.mark.parametrize("answer", [Answer(404), Answer(200, b"<html>no feed</html>"), Answer(200, b"")])
def test_a_bad_feed_fails_its_job(services: Services, web: Web, answer: Answer) -> None:
    """With a reason for people and a code for programs, and without a path of this machine."""
    url = web.serve("/feed.csv", answer)
    services.jobs.start(lambda: None)
    for request in (ImportRequest(url), ImportRequest("x.xml", data=b"\x00\x01")):
        job = finished(services, request)
        assert job.state == "failed"
        assert job.error is not None
        assert job.error.code != "internal"
        assert "/tmp" not in job.error.message  # noqa: S108 - where nothing of it should come from
