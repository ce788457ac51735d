"""Two saved runs made by hand: three queries that B wins, loses and ties, and one that nobody judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nitari.evaluate.compare_run import SavedHit, SavedQuery, SavedRun, standard
from nitari.evaluate.measures import per_query
from nitari.types import Box

RELEVANT = {"won": {"r1": 1}, "lost": {"r1": 1, "r2": 1}, "tied": {"r1": 1, "x9": 0}}
A = {"won": "xyr1", "lost": "r1r2x", "tied": "r1xy", "unjudged": "xyz"}
CATEGORIES = {"won": "Tops > Tees", "lost": "Tops > Tees", "tied": "Hats"}


def ids(text: str) -> tuple[str, ...]:
    """``xyr1`` as ``x, y, r1``."""
    found: list[str] = []
    for letter in text:
        if letter.isdigit():
            found[-1] += letter
        else:
            found.append(letter)
    return tuple(found)


def run(
    rankings: Mapping[str, str],
    *,
    name: str = "a",
    judgments: Mapping[str, Mapping[str, int]] = RELEVANT,
    base: str | None = None,
    protocol: str = "qrels",
) -> SavedRun:
    """A run with these rankings; each item's photo is ``items/ID.jpg``, each query's ``queries/ID.jpg``."""
    split: dict[str, Sequence[str]] = {query_id: ids(text) for query_id, text in rankings.items()}
    measured = per_query(judgments, {query_id: [(one, 0.0) for one in items] for query_id, items in split.items()})
    queries = tuple(
        SavedQuery(
            query_id,
            f"queries/{query_id}.jpg",
            category=CATEGORIES.get(query_id, ""),
            ranking=tuple(items),
            hits=tuple(SavedHit(one, f"items/{one}.jpg", Box(0, 0, 0.5, 1), 0.5) for one in items),
            grades=judgments.get(query_id, {}),
            measures=measured.get(query_id, {}),
        )
        for query_id, items in split.items()
    )
    return SavedRun(
        name,
        protocol,
        queries,
        standard() if measured else (),
        {"embedder": name},
        1000,
        1000,
        base,
        "2026-01-02T03:04:05+00:00",
    )


def runs(base: str | None = None) -> tuple[SavedRun, SavedRun]:
    """A and B."""
    b = {"won": "r1xy", "lost": "xr2r1", "tied": "r1yx", "unjudged": "zxw"}
    return run(A, base=base), replace(run(b, base=base), name="b")
