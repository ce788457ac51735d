"""What every route is given."""

from __future__ import annotations

from dataclasses import dataclass

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
        metrics: What is counted.
        access: Who may do what.
        started: When the process began to serve, of ``time.monotonic``.
    """

    services: Services
    config: ServerConfig
    work: WorkQueue
    metrics: Metrics
    access: Access
    started: float
