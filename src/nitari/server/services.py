"""What the HTTP API stands on: the ports of the server. ``wiring.open_services`` brings the real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nitari.catalog.base import Catalog
from nitari.ingest.edit import Editor
from nitari.ingest.jobs import Jobs
from nitari.search.searchers import Searchers


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file to be sent: re-encoded by us, so without metadata.

    Args:
        data: JPEG.
        tag: Changes whenever the picture does; for ``ETag``.
    """

    data: bytes
    tag: str


class Pictures(Protocol):
    """Small pictures of the catalog's photos. Safe to call from several threads at once."""

    def original(self, item_id: str, *, link: str | None) -> bytes:
        """The file of an item's photo, as it was imported where that is kept. Not to be sent to anybody.

        Args:
            item_id: The item.
            link: One of the item's own image links; ``None`` for the main photo.

        Raises:
            NotFoundError: no such item, or the item has no such photo.
            DataError: a photo that cannot be had any more.
        """
        ...

    def thumbnail(self, item_id: str, *, link: str | None, size: int) -> Picture:
        """An item's photo.

        Args:
            item_id: The item.
            link: One of the item's own image links; ``None`` for the main photo.
            size: Longest side, pixels; larger photos are scaled down.

        Raises:
            NotFoundError: no such item, or the item has no such photo.
            DataError: a photo that cannot be had or read any more.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """A query photo that somebody asked to keep.

    Args:
        photo_id: Unguessable: 128 random bits in base 64 for URLs.
        expires_at: When it goes.
    """

    photo_id: str
    expires_at: datetime


class QueryPhotos(Protocol):
    """Query photos kept on request, for links that restore a search. Safe for several threads and processes."""

    def keep(self, data: bytes) -> KeptPhoto:
        """Keep a photo, re-encoded without metadata and scaled down; it is durable when this returns.

        Raises:
            ImageError: not a usable photo.
            UsageError: keeping photos is switched off.
        """
        ...

    def get(self, photo_id: str) -> Picture:
        """A kept photo.

        Raises:
            NotFoundError: there is none of this id, or it has expired.
        """
        ...

    def forget(self, photo_id: str) -> None:
        """Delete a kept photo.

        Raises:
            NotFoundError: as ``get``.
        """
        ...

    def prune(self) -> int:
        """Delete what has expired and what is more than is kept. Returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class KnownSnapshot:
    """A snapshot, as a list shows it.

    Args:
        number: Its own.
        at: When it was saved; ``None`` where it is damaged.
        seq: The catalog change that it holds; ``None`` where it is damaged.
        size: Of everything in it, bytes; ``None`` where it is damaged.
        damaged: What is wrong with it.
    """

    number: int
    at: datetime | None
    seq: int | None
    size: int | None
    damaged: str | None = None


@dataclass(frozen=True, slots=True)
class SavedSnapshot:
    """A snapshot that was saved.

    Args:
        number: Its own.
        seq: The catalog change that it holds.
        size: Of everything in it, bytes.
        sent: Of what had to travel, bytes.
    """

    number: int
    seq: int
    size: int
    sent: int


class SnapshotKeeper(Protocol):
    """Snapshots of the home, kept elsewhere.

    Every method raises UsageError where no place for them is set, DependencyError where it does not answer.
    """

    def url(self) -> str:
        """Where they are, without credentials."""
        ...

    def list(self) -> Sequence[KnownSnapshot]:
        """All there are, oldest first."""
        ...

    def save(self) -> SavedSnapshot:
        """Save one now.

        Raises:
            StateError: somebody else published first, or a prune is at work.
        """
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that routes call.

    Args:
        searchers: Answer queries, a collection each.
        catalog: Items and counts.
        editor: What puts and deletes items now; to be asked for each edit.
        jobs: Imports in the background.
        pictures: Thumbnails.
        query_photos: Query photos kept on request.
        snapshots: Of the home.
        prune_history: Lets the catalog forget what items were longer ago than the settings say.
    """

    searchers: Searchers
    catalog: Catalog
    editor: Callable[[], Editor]
    jobs: Jobs
    pictures: Pictures
    query_photos: QueryPhotos
    snapshots: SnapshotKeeper
    prune_history: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """How the server behaves; see ``nitari.settings.ServerSettings`` for what each means."""

    refresh_s: float
    max_body_bytes: int
    max_pixels: int
    workers: int
    queue: int
    token: str | None
    open_search: bool
    allowed_hosts: Sequence[str]
    facets: Sequence[str]
    keeps_query_photos: bool
    query_photo_days: int
