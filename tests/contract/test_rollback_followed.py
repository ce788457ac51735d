"""Whoever follows the change log follows a rollback: keys that return are found again, sealed on disk or not."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.index.segments.policy import Policy
from nitari.index.segments.segmented import SegmentedIndex
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from support.catalogs import DIM, vector_of
from support.extraction import text_extractor
from support.galleries import open_gallery, open_maintainer, open_store
from support.past import Step, ready_twice, steps


def answer(gallery: Gallery) -> list[tuple[str, str, float]]:
    """All that the gallery finds, in order, with attributes."""
    searcher = Searcher(gallery=gallery, extractor=text_extractor)
    hits = searcher.search(Query(vector=vector_of("any"), k=100)).hits
    return sorted((hit.item_id, str(hit.attributes) + hit.image, round(hit.score, 4)) for hit in hits)


class RollbackMachine(RuleBasedStateMachine):
    """Edits, rollbacks and maintenance in any order, and one gallery with segments on disk that follows them all."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / FILE_NAME
        self.catalog = ready_twice(SqlCatalog.open(self.path))
        self.store = open_store(self.catalog, self.folder / "index")
        self.maintainer = open_maintainer(self.catalog, self.store, Policy(seal_rows=2, table_changes=2, fanout=2))
        self.index = SegmentedIndex(DIM)
        self.gallery = open_gallery(SqlCatalog.open(self.path), self.index, editions=self.store)

    @rule(changes=st.lists(steps, min_size=1, max_size=4))
    def edit(self, changes: list[Step]) -> None:
        """Some changes."""
        for change in changes:
            change.take(self.catalog)

    @rule(share=st.floats(0, 1))
    def roll_back(self, share: float) -> None:
        """Back to some change."""
        self.catalog.rollback(int(share * self.catalog.seq()))

    @rule()
    def maintain(self) -> None:
        """Seal, merge, publish."""
        self.maintainer.run_once(settle=True)

    @rule()
    def follow(self) -> None:
        """The gallery finds what one finds that reads everything from the catalog."""
        self.gallery.refresh()
        fresh = open_gallery(SqlCatalog.open(self.path))
        assert answer(self.gallery) == answer(fresh)
        fresh.close()

    def teardown(self) -> None:
        """Look once more, and clean up."""
        self.follow()
        self.gallery.close()
        self.maintainer.close()
        self.catalog.close()
        shutil.rmtree(self.folder)


def test_rollbacks_are_followed() -> None:
    """After any edits, rollbacks and maintenance, a gallery that follows equals one that is opened anew."""
    run_state_machine_as_test(
        RollbackMachine,
        settings=settings(
            max_examples=20,
            stateful_step_count=12,
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
