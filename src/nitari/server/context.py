"""What every route is given."""

from __future__ import annotations

from dataclasses import dataclass

from nitari.search.searcher import Searcher
from nitari.server.body import Room
from nitari.server.security.access import Access
from nitari.server.services import ServerConfig, Services
from nitari.server.work import WorkQueue
from nitari.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Api:
    """One for each application.

    Args:
        services: What answers.
        config: How the server behaves.
        work: Where everything runs that takes time.
        pictures: Where thumbnails are made: an original that has to be fetched anew must not hold up queries.
        slow: Where snapshots are saved, for minutes, and listed: their place may be far away.
        edits: Where edits run, so that however many embed their photos, queries have their own threads.
        maps: Where heat maps are made, which take as long as a hundred queries.
        room: For bodies of requests.
        metrics: What is counted.
        access: Who may do what.
        started: When the process began to serve, of ``time.monotonic``.
    """

    services: Services
    config: ServerConfig
    work: WorkQueue
    pictures: WorkQueue
    edits: WorkQueue
    slow: WorkQueue
    maps: WorkQueue
    room: Room
    metrics: Metrics
    access: Access
    started: float

    def searcher(self, name: str) -> Searcher:
        """What answers about a collection, by its name or an alias of it.

        Raises:
            NotFoundError: nothing that is served is called so.
        """
        return self.services.searchers.named(name)
