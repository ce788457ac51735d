"""The searchers of all collections that clients can name, and which of them an alias leads to: that changes at work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from threading import Lock
from time import monotonic

from nitari.catalog.base import DEFAULT_ALIAS, Alias, Catalog
from nitari.errors import NitariError, NotFoundError
from nitari.search.searcher import Searcher

log = logging.getLogger(__name__)

GRACE_S = 120.0
"""So long after it could last be named a searcher is closed: by then whoever was still asking it has an answer."""
RETRY_S = 30.0
"""So long after a collection could not be opened the next try is made, unless somebody asks for one."""


class Searchers:
    """Follows the catalog's aliases. Safe to use from any number of threads.

    Every collection that an alias names, or named before, is held open and up to date, so that a switch and a switch
    back are one assignment: a query runs from its first line to its last on the searcher that it began with. An alias
    whose collection cannot be opened, or whose model cannot be loaded (yet), leads to where it led before.

    Args:
        catalog: Whose aliases. Not closed here.
        first: The searcher of what ``default`` names, or of the only collection; warm.
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
        # All three are replaced, never changed, so that readers need no lock.
        self._serving: Mapping[str, Searcher] = {DEFAULT_ALIAS: first}
        self._held: Mapping[str, Searcher] = {first.collection: first}
        self._warm = frozenset({first.collection})  # those with their model; what only waits costs no memory for one
        self._leaving: list[tuple[float, Searcher]] = []
        self._failed: dict[str, float] = {}
        self._behind: set[str] = set()
        self._closed = False
        self._switching = Lock()
        self._preparing = Lock()  # taken before the other one

    @property
    def current(self) -> Searcher:
        """The searcher of ``default``. Keep it for the length of one request."""
        return self._serving[DEFAULT_ALIAS]

    @property
    def names(self) -> tuple[str, ...]:
        """The collections that can be searched now, by name."""
        return tuple(sorted(self._held))

    def named(self, name: str) -> Searcher:
        """The searcher of a collection or alias. Keep it for the length of one request.

        Raises:
            NotFoundError: nothing that is open is called so.
        """
        found = self._serving.get(name) or self._held.get(name)
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
        names = (alias for alias, searcher in self._serving.items() if searcher.collection == collection)
        return tuple(sorted(names, key=lambda name: (name != DEFAULT_ALIAS, name)))

    def serves(self, alias: Alias) -> bool:
        """Whether answers under this alias come from the collection that it names: of every request from now on."""
        found = self._serving.get(alias.name)
        return found is not None and found.collection == alias.collection

    def refresh(self) -> int:
        """See where the aliases lead now, and catch up with the change log.

        A collection that is not open and warm yet is switched to when ``prepare`` has seen to it.

        Returns:
            How many items of ``default`` were read again.

        Raises:
            StateError: as ``Searcher.refresh``, of ``default``; what else cannot be kept up is logged once.
        """
        with self._switching:
            self._look()
        current = self.current
        self._catch_up(searcher for searcher in set(self._serving.values()) if searcher is not current)
        return current.refresh()

    def prepare(self, *, again: bool = False) -> None:
        """Open what aliases name, keep what waits up to date, and close what nobody can name any more. May take long.

        What cannot be opened or kept up is logged once; queries go on with what there is.

        Args:
            again: Whether to try now what could not be opened a moment ago.
        """
        with self._preparing:
            if self._closed:
                return
            self._open_wanted(self._catalog.aliases(), again=again)
            with self._switching:
                aliases = self._look()  # anew: opening took its time, and nobody may be switched back by old news
                self._let_go(_wanted(aliases))
            named = set(self._serving.values())
            self._catch_up(searcher for searcher in self._held.values() if searcher not in named)
            self._close_left(monotonic() - self._grace_s)

    def close(self) -> None:
        """Close all of them."""
        with self._preparing, self._switching, ExitStack() as stack:
            self._closed = True
            held, self._held = self._held, {}
            for searcher in held.values():
                stack.callback(searcher.close)
            self._close_left(monotonic())

    def _look(self) -> tuple[Alias, ...]:
        """Take over what the aliases say, as far as it is open."""
        aliases = self._catalog.aliases()
        before = self._serving
        serving = {DEFAULT_ALIAS: before[DEFAULT_ALIAS]}
        for alias in aliases:
            now = before.get(alias.name)
            wanted = self._held.get(alias.collection) if alias.collection in self._warm else None
            # What was answered before the switch stays true after it: not before it knows as much.
            if wanted is not None and (wanted is now or self._caught_up(wanted)):
                serving[alias.name] = wanted
            elif now is not None:
                serving[alias.name] = now
        if serving != before:
            self._serving = serving
            for name, searcher in serving.items():
                if searcher is not before.get(name):
                    log.info("an alias leads to a collection", extra={"alias": name, "collection": searcher.collection})
        return aliases

    def _open_wanted(self, aliases: tuple[Alias, ...], *, again: bool) -> None:
        wanted, named = _wanted(aliases), {alias.collection for alias in aliases}
        self._failed = {name: at for name, at in self._failed.items() if name in wanted}
        for name in sorted((wanted - self._held.keys()) | (named - self._warm)):
            if again or name not in self._failed or monotonic() - self._failed[name] >= RETRY_S:
                self._add(name, warm=name in named)

    def _add(self, name: str, *, warm: bool) -> None:
        try:
            with ExitStack() as stack:
                searcher = self._held.get(name)
                if searcher is None:
                    searcher = self._open(name)
                    stack.callback(searcher.close)
                if warm:
                    searcher.warm()
                stack.pop_all()
        except Exception as error:  # one that cannot be opened is no reason to neglect those that are
            if name not in self._failed:
                reason = error.message if isinstance(error, NitariError) else repr(error)
                log.exception("a collection cannot be served", extra={"collection": name, "reason": reason})
            self._failed[name] = monotonic()
            return
        self._failed.pop(name, None)
        self._held = {**self._held, name: searcher}
        if warm:
            self._warm |= {name}

    def _catch_up(self, searchers: Iterable[Searcher]) -> None:
        for searcher in searchers:
            self._caught_up(searcher)

    def _caught_up(self, searcher: Searcher) -> bool:
        """Refresh one whose trouble must not become that of the others; whether it went well."""
        name = searcher.collection
        try:
            searcher.refresh()
        except NitariError as error:
            if name not in self._behind:
                log.exception("a collection cannot be kept up", extra={"collection": name, "reason": error.message})
            self._behind.add(name)
            return False
        self._behind.discard(name)
        return True

    def _let_go(self, wanted: set[str]) -> None:
        """Take out what no alias names and none named before, and none has to make do with."""
        serving = set(self._serving.values())
        gone = {name: one for name, one in self._held.items() if name not in wanted and one not in serving}
        self._held = {name: one for name, one in self._held.items() if name not in gone}
        self._warm = self._warm.intersection(self._held)
        self._leaving += [(monotonic(), searcher) for searcher in gone.values()]

    def _close_left(self, before: float) -> None:
        due = [searcher for at, searcher in self._leaving if at <= before]
        self._leaving = [(at, searcher) for at, searcher in self._leaving if at > before]
        with ExitStack() as stack:
            for searcher in due:
                stack.callback(searcher.close)


def _wanted(aliases: tuple[Alias, ...]) -> set[str]:
    """What aliases name, and what one step back leads to."""
    return {name for alias in aliases for name in (alias.collection, alias.previous) if name is not None}
