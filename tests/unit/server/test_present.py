"""Values of the core as they go over the wire; test_app.py holds whole answers to their schemas."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nitari.errors import StateError, UsageError
from nitari.ingest.edit import Edited
from nitari.ingest.jobs import Failure, Job
from nitari.ingest.worker import ImportReport
from nitari.server import present
from nitari.server.schemas import BatchModel, EditModel, JobModel
from nitari.server.schemas_search import AnswerModel
from nitari.types import Answer, Box, Guess, Hit, Rejection, Why


def test_paths_survive_any_id() -> None:
    """Slashes, spaces, marks and other scripts are encoded, so that a path stays one."""
    path = present.photo_path("card", "a/b ?#の", "https://x/y?z=1&w")
    assert path == "/v1/collections/card/photos/a%2Fb%20%3F%23%E3%81%AE?link=https%3A%2F%2Fx%2Fy%3Fz%3D1%26w"


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://x", "https://x"),
        ("HTTP://x", "HTTP://x"),
        ("javascript:alert(1)", None),
        (" https://x", None),
        ("data:text/html,x", None),
        (5.0, None),
        (None, None),
    ],
)
def test_only_web_links_are_links(value: object, link: str | None) -> None:
    """Nothing else is offered to be followed."""
    assert present.web_link(value) == link


@pytest.mark.parametrize(
    ("feed_id", "name"),
    [
        ("/srv/secret/shop/feed.csv", "shop/feed.csv"),
        ("/feed.csv", "feed.csv"),
        ("C:\\shops\\luma\\feed.csv", "luma/feed.csv"),
        ("https://shop.example/a/b.xml", "https://shop.example/a/b.xml"),
        ("upload:feed.csv", "upload:feed.csv"),
        ("spring", "spring"),
    ],
)
def test_feeds_are_named_without_the_servers_folders(feed_id: str, name: str) -> None:
    """Of a path, the end; other names as they are."""
    assert present.feed_name(feed_id) == name


def test_answers_say_what_the_query_was_taken_for() -> None:
    """The guess, the worn cue and the duplicates; null and nothing where there are none."""
    hit = Hit("a", "a", 0.5, "a.jpg", Box(0, 0, 1, 1), attributes={}, duplicates=("b", "c"))
    found = Answer((hit,), {}, (), None, False, 1, category=Guess("Tops > Tees", 0.912345), worn=1.0000001)
    shown = AnswerModel.model_validate_json(present.encode(present.answer(found, collection="card", asked="default")))
    assert shown.category is not None
    assert (shown.category.value, shown.category.probability, shown.worn) == ("Tops > Tees", 0.9123, 1)
    assert shown.hits[0].duplicates == ["b", "c"]
    nothing = present.answer(Answer((), {}, (), None, False, 0), collection="card", asked="default")
    assert (nothing["category"], nothing["worn"]) == (None, None)


def test_hits_say_why() -> None:
    """The parts of a score; null where nobody asked."""
    told = Why(0.7, {"shape": 0.5, "color": 0.2}, 0.05, -0.01)
    hits = tuple(Hit("a", "a", 0.5, "a.jpg", Box(0, 0, 1, 1), attributes={}, why=why) for why in (told, None))
    shown = present.answer(Answer(hits, {}), collection="card", asked="default")["hits"]
    expected = {"similarity": 0.7, "contributions": {"shape": 0.5, "color": 0.2}, "category": 0.05, "rerank": -0.01}
    assert [hit["why"] for hit in shown] == [expected, None]


def test_edits() -> None:
    """Each result has its status; what is ours is not told."""
    rejected = Edited("b", "rejected", (Rejection("fetch", "404", image_link="http://x"),), ("http://x",))
    edits = (
        Edited("a", "created", image_links=("http://x",)),
        rejected,
        Edited("c", "rejected", error=UsageError("no such link")),
        Edited("d", "rejected", error=StateError("/srv/secret is damaged")),
        Edited("e", "absent"),
    )
    for edited in edits:
        EditModel.model_validate(present.edit(edited))
    shown = present.batch(edits, seq=7)
    BatchModel.model_validate(shown)
    assert [result["status"] for result in shown["results"]] == [201, 422, 400, 500, 404]
    assert shown["failed"] == 4
    assert "secret" not in str(shown)


def test_jobs() -> None:
    """A failed job says why, and what was committed before."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    progress, error = ImportReport("f", rows=3), Failure("c", "m")
    job = Job("0" * 32, "f.csv", "f", False, False, "failed", at, at, at, at, progress, error)
    shown = present.job(job)
    JobModel.model_validate_json(present.encode(shown))
    assert (shown["progress"]["rows"], shown["problem"]["detail"]) == (3, "m")


def test_timings() -> None:
    """As a header and as a field."""
    assert present.server_timing({"decode": 1.23456, "total": 2.0}) == "decode;dur=1.235, total;dur=2.000"
    assert present.timing({"decode": 1.23456}) == {"decode": 1.235}
