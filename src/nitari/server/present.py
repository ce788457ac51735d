"""Values of the core to what goes over the wire: plain dictionaries of the shapes that ``schemas`` declares.

Dictionaries rather than models, because an answer with twenty hits is made in a tenth of the time; the tests hold each
of them to its schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import PureWindowsPath
from typing import Any, TypeAlias
from urllib.parse import quote

from pydantic_core import to_json

from nitari.catalog.base import Alias, StoredItem, StoredRegion
from nitari.errors import NitariError
from nitari.ingest.edit import Edited
from nitari.ingest.jobs import Job
from nitari.ingest.worker import ImportReport
from nitari.search.alike import LikenessMaps, Side
from nitari.search.counts import Counted
from nitari.server.problems import status_of
from nitari.server.schemas import ProgressModel
from nitari.server.services import KnownSnapshot, SavedSnapshot
from nitari.types import Answer, Attributes, Box, Detection, Facet, Guess, Hit, Region, Rejection, Why

Wire: TypeAlias = dict[str, Any]

_STATUS_OF_RESULT = {
    "created": 201,
    "replaced": 200,
    "unchanged": 200,
    "rejected": 422,
    "deleted": 200,
    "absent": 404,
}


def encode(document: object) -> bytes:
    """A document as JSON."""
    return to_json(document)


def answer(found: Answer, *, collection: str, asked: str) -> Wire:
    """``AnswerModel``.

    Args:
        found: The answer.
        collection: What was searched.
        asked: What the client called it: its pictures are found under that name, whatever it leads to by then.
    """
    return {
        "collection": collection,
        "hits": [_hit(hit, asked) for hit in found.hits],
        "more": found.more,
        "total": found.total,
        "facets": facets(found.facets),
        "regions": regions(found.regions),
        "query_box": None if found.query_box is None else _box(found.query_box),
        "timing_ms": timing(found.timing_ms),
        "seq": found.seq,
        "plan": found.plan,
        "category": None if found.category is None else _guess(found.category),
        "worn": None if found.worn is None else _share(found.worn),
        "familiarity": None if found.familiarity is None else _share(found.familiarity),
    }


def alias(found: Alias, *, serving: bool) -> Wire:
    """``AliasModel``."""
    return {
        "alias": found.name,
        "collection": found.collection,
        "previous": found.previous,
        "since": found.at,
        "serving": serving,
    }


def snapshot(found: KnownSnapshot) -> Wire:
    """``SnapshotModel``."""
    return asdict(found)


def saved_snapshot(saved: SavedSnapshot) -> Wire:
    """``SavedModel``."""
    return asdict(saved)


def detection(found: Detection) -> Wire:
    """``DetectionModel``."""
    return {
        "width": found.width,
        "height": found.height,
        "regions": regions(found.regions),
        "timing_ms": timing(found.timing_ms),
    }


def counted(found: Counted) -> Wire:
    """``FacetsModel``."""
    return {"facets": facets(found.facets), "total": found.total, "seq": found.seq}


def likeness_maps(found: LikenessMaps, *, collection: str) -> Wire:
    """``HeatmapModel``."""
    known = found.query.heat or found.hit.heat
    return {
        "collection": collection,
        "similarity": None if known is None else round(known.similarity, 6),
        "query": _heat(found.query),
        "query_reason": found.query.reason,
        "hit": _heat(found.hit),
        "hit_reason": found.hit.reason,
        "timing_ms": timing(found.timing_ms),
    }


def facets(found: Iterable[Facet]) -> list[Wire]:
    """``FacetModel`` each."""
    return [
        {
            "name": facet.name,
            "values": [{"value": value.value, "count": value.count} for value in facet.values],
            "low": facet.low,
            "high": facet.high,
        }
        for facet in found
    ]


def regions(found: Iterable[Region | StoredRegion]) -> list[Wire]:
    """``RegionModel`` each."""
    return [{"box": _box(region.box), "label": region.label, "score": _share(region.score)} for region in found]


def timing(timing_ms: Mapping[str, float]) -> Wire:
    """Milliseconds by stage, rounded to microseconds."""
    return {stage: round(milliseconds, 3) for stage, milliseconds in timing_ms.items()}


def server_timing(timing_ms: Mapping[str, float]) -> str:
    """The header ``Server-Timing`` (W3C), which browsers show beside a request."""
    return ", ".join(f"{stage};dur={milliseconds:.3f}" for stage, milliseconds in timing_ms.items())


def item(stored: StoredItem, *, collection: str) -> Wire:
    """``ItemModel``."""
    found = stored.item
    return {
        "item_id": found.item_id,
        "item_group_id": found.group_id,
        "title": found.title,
        "feed_id": None if stored.feed_id is None else feed_name(stored.feed_id),
        "image_links": list(found.image_links),
        "images": [
            {
                "link": image.link,
                "photo": photo_path(collection, found.item_id, image.link),
                "width": image.width,
                "height": image.height,
                "regions": regions(image.regions),
            }
            for image in stored.images
        ],
        "attributes": attributes(found.attributes),
        "seq": stored.seq,
    }


def edit_status(edited: Edited) -> int:
    """The HTTP status of one edit."""
    if isinstance(edited.error, NitariError):
        return int(status_of(edited.error))
    return _STATUS_OF_RESULT[edited.result]


def edit(edited: Edited) -> Wire:
    """``EditModel``."""
    error = edited.error
    shown = [rejection(one) for one in edited.rejections]
    if error is not None:
        shown.append(
            {
                "code": error.code,
                "reason": error.message if edit_status(edited) < 500 else "this server is at fault; its log says how",
                "remedy": error.remedy if edit_status(edited) < 500 else "",
                "image_link": None,
                "location": None,
                "kept": False,
            }
        )
    return {
        "item_id": edited.item_id,
        "result": edited.result,
        "status": edit_status(edited),
        "rejections": shown,
        "image_links": list(edited.image_links),
    }


def batch(edits: Sequence[Edited], *, seq: int) -> Wire:
    """``BatchModel``."""
    results = [edit(edited) for edited in edits]
    return {"results": results, "failed": sum(result["status"] >= 400 for result in results), "seq": seq}


def rejection(found: Rejection) -> Wire:
    """``RejectionModel``."""
    return {
        "code": found.code,
        "reason": found.reason,
        "remedy": found.remedy,
        "image_link": found.image_link,
        "location": found.location,
        "kept": found.kept,
    }


def job(found: Job) -> Wire:
    """``JobModel``."""
    failed = found.error
    return {
        "job_id": found.job_id,
        "kind": "import",
        "state": found.state,
        "feed": found.feed,
        "feed_id": None if found.feed_id is None else feed_name(found.feed_id),
        "sync": found.sync,
        "allow_delete": found.allow_delete,
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
        "progress": None if found.progress is None else _progress(found.progress),
        "problem": None
        if failed is None
        else {
            "type": "about:blank",
            "title": "The import failed",
            "status": 422,
            "detail": failed.message,
            "code": failed.code,
            "remedy": failed.remedy,
            "errors": [],
        },
    }


def attributes(found: Attributes) -> Wire:
    """Attributes; lists as lists."""
    return dict(found)


@lru_cache(maxsize=16_384)
def photo_path(collection: str, item_id: str, link: str) -> str:
    """Where this server has a photo of an item."""
    return f"/v1/collections/{quote(collection, safe='')}/photos/{quote(item_id, safe='')}?link={quote(link, safe='')}"


def feed_name(feed_id: str) -> str:
    """A feed's name; of a file's path its end only, as clients need not know the server's folders."""
    path = PureWindowsPath(feed_id)  # which knows the slashes of both worlds
    is_path = feed_id.startswith("/") or bool(path.drive)
    return "/".join(path.parts[1:][-2:]) if is_path else feed_id


def query_photo_path(collection: str, photo_id: str) -> str:
    """Where this server has a kept query photo."""
    return f"/v1/collections/{quote(collection, safe='')}/query-photos/{photo_id}"


def web_link(value: object) -> str | None:
    """``value`` where it is a link that a page may offer to follow: ``http(s)``, never ``javascript:``."""
    is_web = isinstance(value, str) and value[:8].lower().startswith(("http://", "https://"))
    return value if is_web else None  # type: ignore[return-value]  # a text, as just seen


def _hit(hit: Hit, collection: str) -> Wire:
    return {
        "item_id": hit.item_id,
        "item_group_id": hit.group_id,
        "score": round(hit.score, 6),
        "title": hit.title,
        "link": web_link(hit.attributes.get("link")),
        "image": hit.image,
        "thumbnail": photo_path(collection, hit.item_id, hit.image),
        "box": _box(hit.box),
        "attributes": hit.attributes,
        "duplicates": hit.duplicates,
        "why": None if hit.why is None else _why(hit.why),
    }


def _why(why: Why) -> Wire:
    return {
        "similarity": round(why.similarity, 6),
        "contributions": {name: round(part, 6) for name, part in why.contributions.items()},
        "category": round(why.category, 6),
        "rerank": round(why.rerank, 6),
    }


def _heat(side: Side) -> Wire | None:
    if side.heat is None:
        return None
    rows, cols = side.heat.values.shape
    return {
        "image": side.image,
        "box": _box(side.heat.box),
        "rows": rows,
        "cols": cols,
        "values": [[_share(value) for value in row] for row in side.heat.values.tolist()],
        "fall": round(side.heat.fall, 6),
    }


def _guess(guess: Guess) -> Wire:
    return {"value": guess.value, "probability": _share(guess.probability)}


def _share(share: float) -> float:
    return min(1.0, max(0.0, round(share, 4)))


def _progress(report: ImportReport) -> Wire:
    return {name: getattr(report, name) for name in ProgressModel.model_fields}


def _box(box: Box) -> list[float]:
    return box.as_list()
