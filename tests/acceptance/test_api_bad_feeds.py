"""Part 1's bad feeds as uploads: a job each, which ends, says what was wrong, and reads no file of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from nitari.settings import Settings
from nitari.wiring import open_catalog
from support.api import MAX_RSS_MB, Probed, probing
from support.bad_feeds import CUT_OFF, FEEDS, ROWS, BadFeed
from support.picture import jpeg, noisy
from support.server import PATIENCE_S, run_cli
from support.shop import make_shop

LOCAL = ("images/0001-0.jpg", "/etc/passwd", "../shop/images/0001-0.jpg", "file:///etc/passwd", "C:\\secret.jpg")


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Probed]:
    """A small shop, served."""
    folder = tmp_path_factory.mktemp("feeds")
    run_cli(folder / "home", "import", str(make_shop(folder / "shop", 6).folder))
    with probing(folder / "home") as server:
        yield server


def submit(probed: Probed, name: str, data: bytes) -> str:
    """Upload a feed; returns where its job is."""
    response = probed.client.post("/v1/jobs", files={"feed": (name, data)})
    assert response.status_code == 202, (name, response.text)
    return response.headers["location"]


def finished(probed: Probed, location: str) -> dict[str, Any]:
    """A job, once it has ended."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        response = probed.client.get(location)
        probed.keeps_to_itself(response.text)
        job: dict[str, Any] = response.json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.02)  # polling, not a promise
    raise AssertionError(f"job {location} never ended")


def uploadable(feeds: tuple[BadFeed, ...]) -> dict[str, tuple[BadFeed, bytes]]:
    """Those that are files with something in them, by name."""
    return {
        bad.name: (bad, bad.data)
        for bad in feeds
        if isinstance(bad.data, bytes) and bad.data and (find_spec("pyarrow") or not bad.name.endswith(".parquet"))
    }


def test_feeds_that_cannot_be_read(probed: Probed) -> None:
    """Each job fails with the feed's own code, a reason and a remedy."""
    feeds = uploadable((*FEEDS, CUT_OFF))
    assert len(feeds) > 15
    jobs = {name: submit(probed, name, data) for name, (_, data) in feeds.items()}
    found = {}
    for name, location in jobs.items():
        job = finished(probed, location)
        assert job["state"] == "failed", job
        assert job["problem"]["detail"], job
        assert job["problem"]["remedy"], job
        found[name] = job["problem"]["code"]
    assert found == {name: bad.error for name, (bad, _) in feeds.items()}
    assert probed.peak_mb() < MAX_RSS_MB
    probed.alive()


def test_feeds_with_bad_rows(probed: Probed) -> None:
    """Each job reads on to the end; what could not be used is counted."""
    jobs = {name: submit(probed, name, data) for name, (_, data) in uploadable(ROWS).items()}
    for name, location in jobs.items():
        job = finished(probed, location)
        assert job["state"] == "succeeded", (name, job)
        assert job["progress"]["rejected"] + job["progress"]["kept"] > 0, (name, job)
    probed.alive()


def test_files_of_the_server(probed: Probed) -> None:
    """An uploaded feed has no folder: links to files lead nowhere, and no path of the server is told."""
    rows = [f'local-{number},"{link}"' for number, link in enumerate(LOCAL)]
    location = submit(probed, "local.csv", "\n".join(["id,image_link", *rows, ""]).encode())
    job = finished(probed, location)
    assert (job["state"], job["progress"]["rejected"]) == ("succeeded", len(LOCAL)), job
    with open_catalog(Settings(home=probed.server.home)) as catalog:
        rejections = [rejection for feed, rejection in catalog.rejections() if rejection.item_id in
                      {f"local-{number}" for number in range(len(LOCAL))}]  # fmt: skip
        assert catalog.get("local-0") is None
    assert {rejection.code for rejection in rejections} == {"no-folder", "blocked-scheme"}
    assert len(rejections) == len(LOCAL)


@pytest.mark.parametrize("name", ["../../feed.csv", "/etc/feed.csv", "..\\feed.csv", "写真.csv", "a\x00b.csv", ".csv"])
def test_file_names_lead_nowhere(probed: Probed, name: str) -> None:
    """A file name tells the format and nothing else; it never says where to write."""
    before = sorted(path for path in probed.folder.iterdir())
    raw = name.encode()
    head = (
        b'--x\r\nContent-Disposition: form-data; name="feed"; filename="' + raw + b'"\r\n\r\nid,image_link\na,a.jpg\n'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = probed.client.post("/v1/jobs", content=head + b"\r\n--x--\r\n", headers=headers)
    if response.status_code == 202:
        assert finished(probed, response.headers["location"])["state"] in ("succeeded", "failed")
    else:
        probed.check(response, 400, 422)
    assert sorted(path for path in probed.folder.iterdir()) == before


def test_not_a_feed_at_all(probed: Probed) -> None:
    """Nothing is refused at once; a photo as a feed is a failed job, not a crash."""
    probed.check(probed.client.post("/v1/jobs", files={"feed": ("empty.csv", b"")}), 400, 422)
    job = finished(probed, submit(probed, "photo.jpg", jpeg(noisy())))
    assert job["state"] == "failed", job
    assert job["problem"]["remedy"], job
