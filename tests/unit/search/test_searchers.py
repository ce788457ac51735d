"""Which collection answers: what aliases name, from one request to the next, whatever fails or lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nitari.errors import NotFoundError, StateError
from nitari.search import searchers as module
from nitari.search.searcher import Searcher
from support.beside import NEW, OLD, THIRD, Beside, Watched, collections_beside, told


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    """Three collections."""
    with collections_beside(tmp_path) as made:
        yield made


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was complained of."""
    return [record.message for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


@contextmanager
def asking(ask: Callable[[int], None], *, threads: int) -> Iterator[list[BaseException]]:
    """Call a function without a pause on several threads; gives what it raised."""
    failures: list[BaseException] = []
    stop = threading.Event()

    def run() -> None:
        nth = 0
        while not stop.is_set():
            try:
                ask(nth)
            except BaseException as exc:  # noqa: BLE001 - whatever it is, no question may fail
                failures.append(exc)
            nth += 1

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield failures
    finally:
        stop.set()
        for thread in running:
            thread.join()


def test_a_switch_and_the_way_back(beside: Beside) -> None:
    """A collection is opened and warmed before it answers; the one before is kept for the way back."""
    with beside.searchers() as searchers:
        before = told(searchers.current)
        beside.catalog.point("default", NEW)
        searchers.refresh()
        assert (searchers.current.collection, searchers.names) == (OLD, (OLD,)), "it is not open yet"
        searchers.prepare()
        assert (searchers.current.collection, searchers.names) == (NEW, (OLD, NEW)), searchers.names
        assert beside.of(NEW).warmed == 1
        assert told(searchers.current) != before
        beside.catalog.point_back("default")
        searchers.refresh()
        assert searchers.current is beside.opened[0]
        assert told(searchers.current) == before
        beside.catalog.point_back("default")
        searchers.refresh()
        assert searchers.current is beside.of(NEW)
        assert len(beside.opened) == 2
        assert all(not searcher.closed for searcher in beside.opened)
    assert [searcher.closed for searcher in beside.opened] == [1, 1]


def test_a_way_back_from_before_the_start(beside: Beside, caplog: pytest.LogCaptureFixture) -> None:
    """What only waits has no model in memory; it gets it before it answers, and does not answer without."""
    beside.catalog.point("default", NEW)
    with beside.searchers() as searchers:
        searchers.prepare()
        old = beside.of(OLD)
        assert (searchers.names, old.warmed) == ((OLD, NEW), 0)
        old.cold = True
        alias = beside.catalog.point_back("default")
        searchers.refresh()
        searchers.prepare()
        assert (searchers.current.collection, searchers.serves(alias), old.closed) == (NEW, False, 0)
        assert warnings(caplog) == ["a collection cannot be served"]
        old.cold = False
        searchers.prepare(again=True)
        assert searchers.current is old
        assert (old.warmed, len(beside.opened)) == (1, 2)


def test_names(beside: Beside) -> None:
    """Aliases and collections are found by name; of a request for anything else, what there is is said."""
    with beside.searchers() as searchers:
        beside.catalog.point("trial", NEW)
        beside.catalog.point("another", OLD)
        searchers.prepare()
        assert searchers.named("default") is searchers.named(OLD) is searchers.named("another") is searchers.current
        assert searchers.named("trial") is searchers.named(NEW) is beside.of(NEW)
        assert searchers.aliases_of(OLD) == ("default", "another")
        assert searchers.aliases_of(NEW) == ("trial",)
        assert searchers.aliases_of(THIRD) == ()
        with pytest.raises(NotFoundError, match=r"third.*default or one of card, new") as error:
            searchers.named(THIRD)
        assert error.value.code == "collection-not-found"


def test_it_is_known_whether_an_alias_is_followed(beside: Beside) -> None:
    """Not before answers under it come from where it leads."""
    with beside.searchers() as searchers:
        alias = beside.catalog.point("default", NEW)
        searchers.refresh()
        assert not searchers.serves(alias)
        searchers.prepare()
        assert searchers.serves(alias)
        assert not searchers.serves(beside.catalog.point("trial", NEW))


def test_what_was_answered_before_a_switch_stays_true(beside: Beside) -> None:
    """The collection that is switched to knows the last edit, however long it waited."""
    with beside.searchers() as searchers:
        beside.catalog.point("default", NEW)
        searchers.prepare()
        beside.edit("late", "late")
        searchers.refresh()
        assert told(searchers.current, "late")[0][0] == "late"
        beside.catalog.point_back("default")
        searchers.refresh()
        assert told(searchers.current, "late")[0][0] == "late"


def test_what_other_aliases_name_is_kept_up_as_well(beside: Beside) -> None:
    """And what one step back leads to, at the slower pace of ``prepare``."""
    with beside.searchers() as searchers:
        beside.catalog.point("trial", NEW)
        beside.catalog.point("other", THIRD)
        beside.catalog.point("other", OLD)
        searchers.prepare()
        assert searchers.names == (OLD, NEW, THIRD)
        beside.edit("late", "late")
        searchers.refresh()
        assert told(searchers.named("trial"), "late")[0][0] == "late"
        assert told(searchers.named(THIRD), "late")[0][0] != "late"
        searchers.prepare()
        assert told(searchers.named(THIRD), "late")[0][0] == "late"


def test_what_cannot_be_opened_changes_nothing(
    beside: Beside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said once, tried again after a while or when asked to, and answers where it was before, by any alias."""
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    with beside.searchers() as searchers:
        beside.catalog.point("trial", OLD)
        searchers.refresh()
        beside.unfit[NEW] = 0
        for alias in ("default", "trial"):
            beside.catalog.point(alias, NEW)
        for _ in range(3):
            searchers.prepare()
            searchers.refresh()
        assert searchers.current is searchers.named("trial") is beside.opened[0]
        assert warnings(caplog) == ["a collection cannot be served"]
        assert beside.unfit[NEW] == 1
        searchers.prepare(again=True)
        assert beside.unfit[NEW] == 2
        now += module.RETRY_S
        searchers.prepare()
        assert beside.unfit.pop(NEW) == 3
        searchers.prepare(again=True)
        assert searchers.current is searchers.named("trial") is beside.of(NEW)
        assert len(warnings(caplog)) == 1


def test_what_cannot_be_warmed_is_closed_again(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection without its model is not switched to, and leaves nothing open; nor does it keep others waiting."""
    monkeypatch.setattr(Watched, "cold", property(lambda searcher: searcher.collection == NEW))
    with beside.searchers() as searchers:
        beside.catalog.point("default", NEW)
        beside.catalog.point("trial", THIRD)
        searchers.prepare()
        assert searchers.names == (OLD, THIRD)
        assert beside.of(NEW).closed == 1
        assert searchers.current.collection == OLD


def test_trouble_of_one_is_not_that_of_others(beside: Beside, caplog: pytest.LogCaptureFixture) -> None:
    """What waits and cannot be kept up is said once and not switched to; the rest goes on."""
    with beside.searchers() as searchers:
        beside.catalog.point("default", NEW)
        searchers.prepare()
        beside.opened[0].trouble = StateError("it lacks vectors")
        for _ in range(3):
            searchers.prepare()
        beside.catalog.point_back("default")
        beside.edit("late", "late")
        for _ in range(3):
            searchers.refresh()
        assert searchers.current is beside.of(NEW)
        assert told(searchers.current, "late")[0][0] == "late"
        assert warnings(caplog) == ["a collection cannot be kept up"]
        beside.opened[0].trouble = None
        searchers.refresh()
        assert searchers.current is beside.opened[0]


def test_trouble_of_what_is_in_use_is_told(beside: Beside) -> None:
    """It answers as it did, and whoever follows the catalog hears of it."""
    with beside.searchers() as searchers:
        before = told(searchers.current)
        beside.opened[0].trouble = StateError("it lacks vectors")
        with pytest.raises(StateError, match="it lacks vectors"):
            searchers.refresh()
        assert told(searchers.current) == before


def test_what_nobody_can_name_is_closed_after_a_while(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that began on it end on it."""
    now = 1000.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    with beside.searchers(grace_s=60) as searchers:
        slow = searchers.current
        for name in (NEW, THIRD):
            beside.catalog.point("default", name)
            searchers.prepare()
        assert searchers.names == (NEW, THIRD)
        assert told(slow)
        now += 59
        searchers.prepare()
        assert not beside.opened[0].closed
        now += 1
        searchers.prepare()
        assert [searcher.closed for searcher in beside.opened] == [1, 0, 0]
        beside.catalog.point("default", OLD)
        searchers.prepare()
        assert searchers.current is beside.of(OLD)
        assert searchers.current is not slow
    assert [searcher.closed for searcher in beside.opened] == [1, 1, 1, 1]


def test_a_switch_during_the_opening_of_another(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is taken back to what an alias named when the opening began, nor does anybody wait for it."""
    real = beside.open

    def open_slowly(name: str) -> Searcher:
        if name == THIRD:
            beside.catalog.point("default", NEW)
            searchers.refresh()
            assert searchers.current.collection == NEW
        return real(name)

    monkeypatch.setattr(beside, "open", open_slowly)
    with beside.searchers() as searchers:
        beside.catalog.point("trial", NEW)
        searchers.prepare()
        beside.catalog.point("other", THIRD)
        searchers.prepare()
        assert searchers.current.collection == NEW
        assert searchers.names == (OLD, NEW, THIRD)


def test_a_catalog_without_aliases(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    """One from before there were any: its only collection answers."""
    monkeypatch.setattr(type(beside.catalog), "aliases", lambda _self: ())
    with beside.searchers() as searchers:
        searchers.refresh()
        searchers.prepare()
        assert searchers.names == (OLD,)
        assert searchers.aliases_of(OLD) == ("default",)
        assert told(searchers.current)


def test_nothing_is_opened_after_the_end(beside: Beside) -> None:
    """A follower that comes late leaves nothing open."""
    with beside.searchers() as searchers:
        pass
    beside.catalog.point("default", NEW)
    searchers.prepare()
    assert [searcher.closed for searcher in beside.opened] == [1]


def test_no_query_fails_or_mixes_while_aliases_are_switched(beside: Beside) -> None:
    """Each answer is all of the collection that its query began with, and of the one named at that time."""
    with beside.searchers() as searchers:
        beside.catalog.point("default", NEW)
        searchers.prepare()
        photos = [f"d{n}" for n in range(12)]
        expected = {searcher.collection: [told(searcher, text) for text in photos] for searcher in beside.opened}
        answered: list[str] = []

        def ask(nth: int) -> None:
            searcher = searchers.current
            assert told(searcher, photos[nth % 12]) == expected[searcher.collection][nth % 12]
            answered.append(searcher.collection)

        with asking(ask, threads=4) as failures:
            for nth in range(80):
                alias = beside.catalog.point("default", (OLD, NEW)[nth % 2])
                searchers.refresh()
                assert searchers.serves(alias)
                assert searchers.current.collection == alias.collection
                if nth % 20 == 0:
                    searchers.prepare()
        assert failures == []
        assert set(answered) == {OLD, NEW}
        assert len(beside.opened) == 2
