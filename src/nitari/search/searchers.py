"""The searchers of all collections that clients can name, and which of them is ``default``: that may change at work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from threading import Lock
from time import monotonic

from nitari.catalog.base import DEFAULT_ALIAS, Alias, Catalog
from nitari.errors import NitariError, NotFoundError
from nitari.search.searcher import Searcher

log = logging.getLogger(__name__)

GRACE_S = 120.0
"""So long after it was last named a searcher is closed: by then whoever was still asking it has an answer."""


class Searchers:
    """Follows the catalog's aliases. Safe to use from any number of threads.

    Every collection that an alias names, or named before, is held open and up to date, so that a switch and a switch
    back are one assignment: a query runs from its first line to its last on the searcher that it began with.

    Args:
        catalog: Whose aliases. Not closed here.
        first: The searcher of what ``default`` names, or of the only collection.
        open: Opens a collection's searcher, which may take seconds.
        grace_s: How long a searcher that nobody can name any more is kept.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        first: Searcher,
        open: Callable[[str], Searcher],  # noqa: A002 - what it does
        grace_s: float = GRACE_S,
    ) -> None:
        self._catalog = catalog
        self._open = open
        self._grace_s = grace_s
        self._current = first
        self._held: Mapping[str, Searcher] = {first.collection: first}
        self._aliases: Mapping[str, str] = {}
        self._leaving: list[tuple[float, Searcher]] = []
        self._failed: set[str] = set()
        self._switching = Lock()
        self._preparing = Lock()

    @property
    def current(self) -> Searcher:
        """The searcher of ``default``. Keep it for the length of one request."""
        return self._current

    @property
    def names(self) -> tuple[str, ...]:
        """The collections that can be searched now, by name."""
        return tuple(sorted(self._held))

    def named(self, name: str) -> Searcher:
        """The searcher of a collection or alias.

        Raises:
            NotFoundError: nothing that is open is called so.
        """
        if name == DEFAULT_ALIAS:
            return self._current
        found = self._held.get(self._aliases.get(name, name))
        if found is None:
            raise NotFoundError(
                f"collection {name[:80]!r} is not served here; "
                f"expected {DEFAULT_ALIAS} or one of {', '.join(self.names)}",
                remedy="GET /v1/collections names what there is; let an alias name a collection to have it served",
                code="collection-not-found",
            )
        return found

    def aliases_of(self, collection: str) -> tuple[str, ...]:
        """What a collection is called, ``default`` first."""
        names = {alias for alias, named in self._aliases.items() if named == collection} - {DEFAULT_ALIAS}
        return ((DEFAULT_ALIAS,) if collection == self._current.collection else ()) + tuple(sorted(names))

    def refresh(self) -> int:
        """See where ``default`` leads now, and catch up with the change log. Returns how many items were read again.

        A collection that is not open yet is switched to when ``prepare`` has opened it.
        """
        with self._switching:
            self._look(self._catalog.aliases())
        return self._current.refresh()

    def prepare(self) -> None:
        """Open what aliases name, keep what waits up to date, and close what nobody can name any more. May take long.

        What cannot be opened is logged once; queries go on with what there is.
        """
        with self._preparing:
            aliases = self._catalog.aliases()
            for name in _wanted(aliases):
                if name not in self._held:
                    self._add(name, warm=any(alias.collection == name for alias in aliases))
            with self._switching:
                self._look(aliases)
            if aliases:
                self._let_go(_wanted(aliases))
            for searcher in tuple(self._held.values()):
                if searcher is not self._current:
                    searcher.refresh()
            self._close_left(monotonic() - self._grace_s)

    def close(self) -> None:
        """Close all of them."""
        with self._preparing, self._switching:
            held, self._held = self._held, {}
            for searcher in held.values():
                searcher.close()
            self._close_left(monotonic())

    def _look(self, aliases: tuple[Alias, ...]) -> None:
        """Take over what the aliases say, as far as it is open."""
        self._aliases = {alias.name: alias.collection for alias in aliases}
        wanted = self._held.get(self._aliases.get(DEFAULT_ALIAS, ""))
        if wanted is None or wanted is self._current:
            return
        wanted.refresh()  # what was answered before the switch stays true after it
        before, self._current = self._current, wanted
        log.info("another collection is searched now", extra={"before": before.collection, "now": wanted.collection})

    def _add(self, name: str, *, warm: bool) -> None:
        try:
            searcher = self._open(name)
            if warm:
                searcher.warm()
        except NitariError as error:
            if name not in self._failed:
                log.warning(
                    "a collection cannot be served", extra={"collection": name, "reason": error.message}, exc_info=True
                )
            self._failed.add(name)
            return
        self._failed.discard(name)
        self._held = {**self._held, name: searcher}

    def _let_go(self, wanted: set[str]) -> None:
        """Take out what no alias names and none named before."""
        gone = {name: one for name, one in self._held.items() if name not in wanted and one is not self._current}
        self._held = {name: one for name, one in self._held.items() if name not in gone}
        self._leaving += [(monotonic(), searcher) for searcher in gone.values()]

    def _close_left(self, before: float) -> None:
        staying = []
        for at, searcher in self._leaving:
            if at <= before:
                searcher.close()
            else:
                staying.append((at, searcher))
        self._leaving = staying


def _wanted(aliases: tuple[Alias, ...]) -> set[str]:
    """What aliases name, and what one step back leads to."""
    return {name for alias in aliases for name in (alias.collection, alias.previous) if name is not None}
