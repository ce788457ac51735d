"""Cross-validation: each query is answered by a model that was not trained on its seller or style.

``nitari train`` writes one card for each fold beside the final one; fold ``i``'s was trained on all the others. Queries
are dealt to the folds, each asked to a gallery that its own fold's model embedded, and the answers are pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nitari.errors import UsageError
from nitari.evaluate.protocols import EvalProtocol, EvalQuery, Lens
from nitari.evaluate.qrels import Judgments
from nitari.evaluate.runner import Run
from nitari.folds import fold_key, fold_of
from nitari.types import Item

CARD = "card.toml"
FOLD = "eval_fold"
"""The attribute that says in which fold an item of a strict gallery is."""


def fold_cards(folder: Path) -> tuple[Path, ...]:
    """The cards ``0/card.toml``, ``1/card.toml`` ... of a folder, by fold.

    Raises:
        UsageError: fewer than two, or a gap between them: queries of the missing fold could not be asked.
    """
    numbers = sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal() and entry.is_dir())
    cards = tuple(folder / str(number) / CARD for number in numbers)
    if len(numbers) < 2 or numbers != list(range(len(numbers))) or not all(card.is_file() for card in cards):
        found = ", ".join(str(card.relative_to(folder)) for card in cards if card.is_file()) or "none of these"
        raise UsageError(
            f"{folder} holds {found}; expected 0/{CARD}, 1/{CARD} and so on, two or more and none left out",
            remedy="name the folder folds/ that nitari train wrote",
            code="folds",
        )
    return cards


def asking(protocol: EvalProtocol, fold: int, folds: int) -> EvalProtocol:
    """The protocol with the queries of one fold only."""
    return replace(protocol, queries=tuple(query for query in protocol.queries if _of(query, folds) == fold))


def strictly(protocol: EvalProtocol, folds: int) -> EvalProtocol:
    """The protocol where a query may be answered, and is judged, by items of its own fold alone.

    Nothing that its model was trained on is then among the answers. With fewer items to choose from, the numbers are
    not those of the whole gallery: compare them with those of another model under the same rule.
    """
    fold_of_item = {
        item.item_id: fold_of(fold_key(item), folds) for gallery in protocol.galleries for item in gallery.items()
    }
    fold_of_query = {query.query_id: _of(query, folds) for query in protocol.queries}

    def marked(item: Item) -> Item:
        return replace(item, attributes={**item.attributes, FOLD: str(fold_of_item[item.item_id])})

    def within(judgments: Judgments) -> dict[str, Mapping[str, int]]:
        return {
            query_id: {
                item: grade for item, grade in grades.items() if fold_of_item.get(item) == fold_of_query[query_id]
            }
            for query_id, grades in judgments.items()
        }

    def only(query: EvalQuery) -> EvalQuery:
        wanted: dict[str, Any] = {**(query.filter or {}), FOLD: str(fold_of_query[query.query_id])}
        return replace(query, filter=wanted)

    def seen(lens: Lens) -> Lens:
        return lens if lens.judgments is None else replace(lens, judgments=within(lens.judgments))

    sweep = protocol.sweep
    return replace(
        protocol,
        gallery=protocol.gallery.map(marked),
        also=tuple(gallery.map(marked) for gallery in protocol.also),
        queries=tuple(map(only, protocol.queries)),
        judgments=None if protocol.judgments is None else within(protocol.judgments),
        lenses=tuple(map(seen, protocol.lenses)),
        sweep=None if sweep is None else replace(sweep, wanted=within(sweep.wanted)),
    )


def pooled(protocol: EvalProtocol, runs: Sequence[Run]) -> Run:
    """The answers of all folds as one run of the whole protocol.

    Args:
        protocol: The one that the queries of ``runs`` were dealt from.
        runs: One for each fold that has queries, over galleries that hold the same items.
    """
    asked = sum(len(run.protocol.queries) for run in runs)
    stages = dict.fromkeys(stage for run in runs for stage in run.timing_ms)
    first = runs[0]
    return Run(
        protocol=protocol,
        rankings={query_id: ranking for run in runs for query_id, ranking in run.rankings.items()},
        failures={query_id: reason for run in runs for query_id, reason in run.failures.items()},
        depth=first.depth,
        gallery=first.gallery,
        seconds=sum(run.seconds for run in runs),
        timing_ms={
            stage: sum(run.timing_ms.get(stage, 0.0) * len(run.protocol.queries) for run in runs) / max(1, asked)
            for stage in stages
        },
        hits={query_id: hits for run in runs for query_id, hits in run.hits.items()},
        familiarity={query_id: share for run in runs for query_id, share in run.familiarity.items()},
    )


def _of(query: EvalQuery, folds: int) -> int:
    return fold_of(query.fold_key, folds)
