"""A comparison as one HTML file: no library, nothing from elsewhere, as quick with thousands of queries as with ten.

What the page shows lies in it as JSON; scripts and styles are those of ``compare_page_files``, over the colors and
basics of the search page. The content security policy names their hashes: nothing that comes from a catalog can ever
become a script.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from nitari.evaluate.compare import Comparison, QueryPair, as_dict
from nitari.evaluate.compare_run import SavedHit, SavedRun
from nitari.evaluate.qrels import Judgments
from nitari.types import WHOLE, Box

SHOWN = 10
"""Hits that a row shows."""
FILES = Path(__file__).parent / "compare_page_files"
BASICS = Path(__file__).parent.parent / "server" / "web" / "css" / "base.css"
_STYLES = ("page.css", "summary.css", "query.css")
_SCRIPTS = ("dom.js", "model.js", "marks.js", "summary.js", "query.js", "page.js")
_DIGITS = 4


class Sources:
    """Where the photos of a comparison are: each listed once, found in the other run where one does not know it.

    Args:
        comparison: Whose photos.
        folder: What relative photos are relative to, in place of what the runs say.
    """

    def __init__(self, comparison: Comparison, folder: Path | None = None) -> None:
        self._numbers: dict[str, int] = {}
        self._folder = folder
        self._known: dict[str, tuple[int, Box]] = {}
        for run in (comparison.b, comparison.a):
            for query in run.queries:
                for hit in query.hits:
                    if hit.item_id not in self._known and hit.photo:
                        self._known[hit.item_id] = (self.of(run, hit.photo), hit.box)

    @property
    def places(self) -> list[str]:
        """All photos so far: ``http(s)`` links, ``upload:`` links, or paths."""
        return list(self._numbers)

    def of(self, run: SavedRun, photo: str) -> int:
        """The number of a photo; -1 where nobody knows where it is."""
        if not photo:
            return -1
        base = self._folder or (Path(run.image_base) if run.image_base else None)
        if is_link(photo):
            place = photo
        elif base is not None or Path(photo).is_absolute():
            place = str((base / photo) if base is not None else Path(photo))
        else:
            return -1
        return self._numbers.setdefault(place, len(self._numbers))

    def of_item(self, item_id: str) -> tuple[int, Box]:
        """An item's photo where the run at hand does not say which one matched."""
        return self._known.get(item_id, (-1, WHOLE))


def is_link(photo: str) -> bool:
    """Whether a photo is named by a link, not by a path."""
    return photo.lower().startswith(("http://", "https://", "upload:"))


def page(
    comparison: Comparison,
    *,
    show: Callable[[str], str],
    folder: Path | None = None,
    marks: Judgments | None = None,
    marks_file: str | None = None,
) -> str:
    """The whole page.

    Args:
        comparison: What to show.
        show: From a photo's place to what an image's ``src`` says; empty for a photo that cannot be shown.
        folder: As ``Sources``.
        marks: What was judged by people so far.
        marks_file: Where a server keeps marks, to be told; ``None`` where the page stands alone.
    """
    data = page_data(comparison, show=show, folder=folder, marks=marks, marks_file=marks_file)
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    style = BASICS.read_text("utf-8") + "".join((FILES / name).read_text("utf-8") for name in _STYLES)
    script = "\n".join((FILES / name).read_text("utf-8") for name in _SCRIPTS)
    policy = (
        f"default-src 'none'; img-src 'self' data: file: http: https:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    title = f"{comparison.a.name} and {comparison.b.name}: {comparison.b.protocol}"
    parts = {"policy": policy, "title": escape(title), "style": style, "data": told, "script": script}
    text = (FILES / "page.html").read_text("utf-8")
    before, *pieces = text.split("{{")
    return before + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces))


def page_data(
    comparison: Comparison,
    *,
    show: Callable[[str], str],
    folder: Path | None = None,
    marks: Judgments | None = None,
    marks_file: str | None = None,
) -> dict[str, Any]:
    """What the page's scripts read; arguments are those of ``page``.

    A query is ``[id, photo, box, category, hits of A, hits of B, [[a, b] or 0 by measure], overlap, rbo, failures]``, a
    hit ``[item, photo, box, rank in the other run or 0, grade or -1, score]``; items and photos are numbers.
    """
    sources, items = Sources(comparison, folder), _Items()
    names = list(comparison.measures)
    queries = [_query(pair, comparison, names, sources, items) for pair in comparison.pairs]
    return {
        "told": as_dict(comparison),
        "measures": names,
        "shown": SHOWN,
        "queries": queries,
        "items": list(items.numbers),
        "photos": [show(place) for place in sources.places],
        "marks": {query_id: dict(grades) for query_id, grades in (marks or {}).items()},
        "marks_file": marks_file,
        "key": hashlib.sha256("\n".join(pair.query_id for pair in comparison.pairs).encode()).hexdigest()[:16],
    }


class _Items:
    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def of(self, item_id: str) -> int:
        return self.numbers.setdefault(item_id, len(self.numbers))


def _query(pair: QueryPair, comparison: Comparison, names: Iterable[str], sources: Sources, items: _Items) -> list[Any]:
    photos = (sources.of(comparison.b, pair.b.photo), sources.of(comparison.a, pair.a.photo))
    box = pair.b.box or pair.a.box
    sides = []
    for run, query, other in ((comparison.a, pair.a, pair.b), (comparison.b, pair.b, pair.a)):
        ranks = {item_id: rank for rank, item_id in enumerate(other.ranking, start=1)}
        hits = {hit.item_id: hit for hit in query.hits}
        sides.append(
            [_hit(run, item_id, hits.get(item_id), ranks, pair.grades, sources, items)
             for item_id in query.ranking[:SHOWN]]
        )  # fmt: skip
    values = [_rounded(pair.values.get(name)) for name in names] if pair.values else 0
    return [
        pair.query_id,
        max(photos) if min(photos) < 0 else photos[0],
        box.as_list() if box else 0,
        pair.category,
        *sides,
        values,
        round(pair.overlap, _DIGITS),
        round(pair.rbo, _DIGITS),
        [pair.a.failure, pair.b.failure] if pair.a.failure or pair.b.failure else 0,
    ]


def _hit(
    run: SavedRun,
    item_id: str,
    hit: SavedHit | None,
    ranks: Mapping[str, int],
    grades: Mapping[str, int],
    sources: Sources,
    items: _Items,
) -> list[Any]:
    photo, box = (-1, WHOLE) if hit is None else (sources.of(run, hit.photo), hit.box)
    if photo < 0:
        photo, box = sources.of_item(item_id)
    return [
        items.of(item_id),
        photo,
        0 if box == WHOLE else box.as_list(),
        ranks.get(item_id, 0),
        grades.get(item_id, -1),
        round(hit.score, _DIGITS) if hit is not None else 0,
    ]


def _rounded(values: tuple[float, float] | None) -> list[float] | int:
    return 0 if values is None else [round(value, _DIGITS) for value in values]


def _hash(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
