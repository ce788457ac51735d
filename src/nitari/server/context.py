"""What every route is given."""

from __future__ import annotations

from dataclasses import dataclass

from nitari.errors import NotFoundError
from nitari.server.body import Room
from nitari.server.security.access import Access
from nitari.server.services import ServerConfig, Services
from nitari.server.work import WorkQueue
from nitari.telemetry import Metrics

ALIAS = "default"
"""What clients may call the collection, whatever its name is."""


@dataclass(frozen=True, slots=True)
class Api:
    """One for each application.

    Args:
        services: What answers.
        config: How the server behaves.
        work: Where everything runs that takes time.
        pictures: Where thumbnails are made: an original that has to be fetched anew must not hold up queries.
        edits: Where edits run, so that however many embed their photos, queries have their own threads.
        room: For bodies of requests.
        metrics: What is counted.
        access: Who may do what.
        collection: The name of the one that is served.
        started: When the process began to serve, of ``time.monotonic``.
    """

    services: Services
    config: ServerConfig
    work: WorkQueue
    pictures: WorkQueue
    edits: WorkQueue
    room: Room
    metrics: Metrics
    access: Access
    collection: str
    started: float

    def check_collection(self, name: str) -> None:
        """Refuse another name than the collection's or its alias.

        Raises:
            NotFoundError: any other.
        """
        if name not in (ALIAS, self.collection):
            raise NotFoundError(
                f"collection {name[:80]!r} is not served here; expected {ALIAS} or {self.collection}",
                remedy="GET /v1/collections names what there is",
                code="collection-not-found",
            )
