"""The client: a method for every route of the API."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack, cast

from nitari.client.arguments import (
    HeatmapArgs,
    Operation,
    PhotoSource,
    RankingArgs,
    SearchArgs,
    batches,
    json_bytes,
    photo_bytes,
    photo_part,
    segment,
)
from nitari.client.connection import Connection, Files, Transport
from nitari.client.exchange import Exchange
from nitari.client.jobs import wait_for
from nitari.errors import UsageError
from nitari.server.schemas import (
    MAX_BATCH,
    AliasesModel,
    AliasModel,
    AttributeModel,
    BatchModel,
    CollectionModel,
    CollectionsModel,
    EditModel,
    HealthModel,
    ItemModel,
    ItemsModel,
    JobModel,
    JobsModel,
    QueryPhotoModel,
    ReadyModel,
    SavedModel,
    SnapshotModel,
    SnapshotsModel,
    StatsModel,
)
from nitari.server.schemas_search import (
    MAX_WINDOW,
    AnswerModel,
    DetectionModel,
    FacetsModel,
    HeatmapModel,
    HitModel,
)

_PAGE = 100


class Client:
    """A server's API. Safe for several threads; close it, or use it in a ``with`` statement.

    A server that is too busy (503 with ``Retry-After``) or cannot be connected to is asked again with growing pauses,
    ``retries`` times. A request whose answer was lost is sent again only where that does no harm: all that reads,
    ``put_item`` and ``edit_items``.

    Args:
        base_url: Where the server is, such as ``http://127.0.0.1:8321``.
        token: The server's token, if it has one.
        collection: A collection's name or an alias.
        timeout: Longest wait for each piece of an answer, seconds. An edit is answered once its photos are embedded.
        retries: Further tries after a passing failure.
        transport: An ``httpx`` transport in place of the usual one: for a private certificate authority, or for tests.

    Raises:
        UsageError: where the arguments are not as above.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        collection: str = "default",
        timeout: float = 60.0,
        retries: int = 3,
        transport: Transport | None = None,
    ) -> None:
        self._http = Connection(base_url, token=token, timeout=timeout, retries=retries, transport=transport)
        self._api = Exchange(self._http)
        self._root = f"/v1/collections/{segment(collection)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections. The client cannot be used any more."""
        self._http.close()

    # -- questions

    def search(self, **query: Unpack[SearchArgs]) -> AnswerModel:
        """Find look-alikes of a photo, an item or a vector.

        Args:
            query: One of ``photo`` (bytes, a path or an open file), ``url``, ``item_id``, ``vector`` or ``photo_id``.
                All else is optional: ``region`` (``auto``, ``whole``, ``largest`` or a box in 0-1), ``liked``,
                ``disliked``, ``filter``, ``k``, ``offset``, ``min_score``, ``group_by``, ``facets``, ``facet_limit``,
                ``explain`` (then ``plan`` of the answer says how the index was searched), ``emphasis`` (0 the same
                shape, 1 the same color), ``worn`` (``auto``, ``off`` or 0-1), ``category`` (``boost``, ``restrict``
                or ``off``), ``collapse`` (whether the same photos are answered once), ``why`` (then each
                hit's ``why`` says what its score is made of).

        Raises:
            ApiUsageError: arguments that do not go together, or a filter that does not parse.
            ApiNotFoundError: no such item or kept photo.
            ApiDataError: a photo or link that cannot be used, or an argument out of bounds; ``errors`` names it.
        """
        return self._search(self._root, query)

    def search_all(self, *, limit: int | None = None, **query: Unpack[SearchArgs]) -> Iterator[HitModel]:
        """Every hit of a search, fetched page by page as it is read: at most 10,000, each item once.

        All of them come from one collection, whatever an alias leads to by then. An item that comes or moves while the
        pages are read may be missed.

        Args:
            limit: Stop after this many hits.
            query: As for ``search``; ``k`` is the size of a page, ``offset`` how many hits to leave out first.
        """
        photo = query.get("photo")
        if photo is not None:
            query["photo"] = photo_bytes(photo)  # an open file can be read only once
        size, offset, seen = query.get("k", _PAGE), query.get("offset", 0), set[str]()
        more, root = True, self._root
        while more and offset < MAX_WINDOW:
            query["k"], query["offset"] = min(size, MAX_WINDOW - offset), offset
            page = self._search(root, query)
            root = f"/v1/collections/{segment(page.collection)}"
            for hit in page.hits:
                if limit is not None and len(seen) >= limit:
                    return
                if hit.item_id not in seen:
                    seen.add(hit.item_id)
                    yield hit
            more = page.more and bool(page.hits)
            offset += len(page.hits)

    def recommend(
        self, *, liked: Sequence[str], disliked: Sequence[str] = (), **options: Unpack[RankingArgs]
    ) -> AnswerModel:
        """Find items like some and unlike others; none of those named is answered. Options as for ``search``."""
        return self._api.ask(AnswerModel, f"{self._root}/recommend", {"liked": liked, "disliked": disliked, **options})

    def detect(
        self, *, photo: PhotoSource | None = None, url: str | None = None, photo_id: str | None = None
    ) -> DetectionModel:
        """Find the products on a photo; their boxes are good for ``search(region=...)``."""
        return self._api.ask(DetectionModel, f"{self._root}/detect", {"url": url, "photo_id": photo_id}, photo)

    def heatmap(
        self,
        hit: str,
        *,
        photo: PhotoSource | None = None,
        url: str | None = None,
        item_id: str | None = None,
        photo_id: str | None = None,
        **options: Unpack[HeatmapArgs],
    ) -> HeatmapModel:
        """Which parts of a query's photo make it like a hit, and which parts of the hit's. Takes a second or two.

        Args:
            hit: The item to compare with.
            photo: What was searched with: this, or one of the next three.
            url: As for ``search``.
            item_id: As for ``search``.
            photo_id: As for ``search``.
            options: ``region``, ``emphasis`` and ``worn``, as they were searched with.

        Raises:
            ApiNotFoundError: no such item or kept photo.
            ApiDataError: a photo or link that cannot be used.
            ApiBusyError: other heat maps are being made.
        """
        named = {"hit": hit, "url": url, "item_id": item_id, "photo_id": photo_id, **options}
        return self._api.ask(HeatmapModel, f"{self._root}/heatmap", named, photo)

    def facets(self, names: Sequence[str], *, filter: Mapping[str, Any] | None = None, limit: int = 20) -> FacetsModel:  # noqa: A002  # its name in the API
        """Count attributes' values over all items that pass the filter."""
        return self._api.ask(FacetsModel, f"{self._root}/facets", {"names": names, "filter": filter, "limit": limit})

    # -- items

    def get_item(self, item_id: str) -> ItemModel:
        """An item as the catalog has it.

        Raises:
            ApiNotFoundError: there is none.
        """
        return self._api.get(ItemModel, self._item(item_id))

    def sample_items(self, *, limit: int = 12) -> list[ItemModel]:
        """A few items spread over the catalog, each of another group, to show what there is; at most 100."""
        return self._api.send(ItemsModel, "GET", f"{self._root}/items", params={"limit": limit}).items

    def put_item(
        self,
        item_id: str,
        *,
        title: str = "",
        item_group_id: str | None = None,
        image_links: Sequence[str] = (),
        attributes: Mapping[str, AttributeModel] | None = None,
        photos: Sequence[PhotoSource] = (),
        refetch: bool = False,
    ) -> EditModel:
        """Insert or replace an item; when this returns, it is durable and the server's answers show it.

        Args:
            item_id: The item.
            title: For people.
            item_group_id: The style; the item's own id if absent.
            image_links: ``http(s)`` links, or ``upload:`` links that an earlier answer named; main photo first.
            attributes: Anything else, typed.
            photos: Photos to upload; they come before ``image_links``.
            refetch: Whether to look again at photos behind links that the item has already.

        Raises:
            ApiDataError: none of the photos can be used (``errors`` has one entry for each), or a field is at fault.
        """
        item = {
            "title": title,
            "item_group_id": item_group_id,
            "image_links": image_links,
            "refetch": refetch or None,
            "attributes": attributes,
        }
        body = json_bytes(item)
        if not photos:
            return self._api.send(EditModel, "PUT", self._item(item_id), json=body)
        files: Files = [("item", (None, body, "application/json"))]
        files += [photo_part(photo) for photo in photos]
        return self._api.send(EditModel, "PUT", self._item(item_id), files=files)

    def delete_item(self, item_id: str) -> EditModel:
        """Delete an item. One that is still in a feed comes back with that feed's next import.

        Raises:
            ApiNotFoundError: there is none.
        """
        return self._api.send(EditModel, "DELETE", self._item(item_id), repeatable=False)

    def edit_items(
        self,
        operations: Iterable[Operation],
        *,
        batch_items: int = 64,
        batch_bytes: int = 4 * 2**20,
    ) -> Iterator[EditModel]:
        """Carry out many edits in order; yields what became of each. Nothing is sent but what is read: use a ``for``.

        An edit that fails raises nothing: its result has a ``status`` of 400 or more. Where an answer is lost, its
        batch is sent again; edits that the first one did are then told as ``unchanged`` or ``absent``.

        Args:
            operations: ``PutOperation`` and ``DeleteOperation``; may be a generator, read a batch at a time.
            batch_items: Most edits in one request, 1-1000.
            batch_bytes: Most bytes of one request; servers take up to 4 MiB of JSON.
        """
        if not 1 <= batch_items <= MAX_BATCH:
            raise UsageError(f"batch_items is {batch_items}; it must be 1-{MAX_BATCH}")
        return self._edit(batches(operations, most_items=batch_items, most_bytes=batch_bytes))

    def _edit(self, bodies: Iterator[bytes]) -> Iterator[EditModel]:
        for body in bodies:
            yield from self._api.send(BatchModel, "POST", f"{self._root}/items:batch", json=body).results

    # -- pictures

    def photo(self, item_id: str, *, link: str | None = None, size: int = 480) -> bytes:
        """An item's photo as a small JPEG without metadata.

        Args:
            item_id: The item.
            link: One of the item's image links; its main photo if absent.
            size: Longest side, 16-2048 pixels.
        """
        params = {"size": size} | ({"link": link} if link is not None else {})
        return self._http.send("GET", f"{self._root}/photos/{segment(item_id)}", params=params)

    def keep_query_photo(self, photo: PhotoSource) -> QueryPhotoModel:
        """Keep a photo on the server for some time, for a link that restores a search: ``search(photo_id=...)``.

        Raises:
            ApiUsageError: the server does not keep photos.
        """
        path = f"{self._root}/query-photos"
        return self._api.send(QueryPhotoModel, "POST", path, files=[photo_part(photo)], repeatable=False)

    def query_photo(self, photo_id: str) -> bytes:
        """A kept photo, JPEG."""
        return self._http.send("GET", f"{self._root}/query-photos/{segment(photo_id)}")

    def forget_query_photo(self, photo_id: str) -> None:
        """Delete a kept photo."""
        self._http.send("DELETE", f"{self._root}/query-photos/{segment(photo_id)}", repeatable=False)

    # -- imports

    def import_feed(
        self,
        feed: str | os.PathLike[str],
        *,
        feed_id: str | None = None,
        sync: bool = False,
        allow_delete: bool = False,
    ) -> JobModel:
        """Have the server import a feed; it is a job that outlives this call: see ``wait``.

        Args:
            feed: An ``http(s)`` URL that the server fetches, or the path of a feed file here that is uploaded. Relative
                image links in an uploaded file lead nowhere.
            feed_id: The feed's name, under which it owns its items.
            sync: Also delete this feed's items that are no longer in it.
            allow_delete: Even where that is a large share of them.
        """
        options = {"feed_id": feed_id, "sync": sync, "allow_delete": allow_delete}
        if isinstance(feed, str) and feed.startswith(("http://", "https://")):
            body = json_bytes({"feed": feed, **options})
            return self._api.send(JobModel, "POST", "/v1/jobs", json=body, repeatable=False)
        path = Path(feed)
        try:
            file = path.open("rb")
        except OSError as exc:
            raise UsageError(
                f"feed {str(path)!r} cannot be read: {exc.strerror or exc}",
                remedy="give the path of a feed file, or an http(s) URL",
            ) from exc
        with file:
            files: Files = [
                ("options", (None, json_bytes(options), "application/json")),
                ("feed", (path.name, file, "application/octet-stream")),
            ]
            return self._api.send(JobModel, "POST", "/v1/jobs", files=files, repeatable=False)

    def job(self, job_id: str) -> JobModel:
        """A job as it is now."""
        return self._api.get(JobModel, f"/v1/jobs/{segment(job_id)}")

    def jobs(self) -> list[JobModel]:
        """Jobs, newest first."""
        return self._api.get(JobsModel, "/v1/jobs").jobs

    def wait(self, job: JobModel | str, *, timeout: float | None = None, poll: float = 0.5) -> JobModel:
        """Wait until a job has succeeded.

        Args:
            job: The job, or its id.
            timeout: Longest wait, seconds; for ever if absent. The job goes on after it.
            poll: Pause between two looks, seconds.

        Raises:
            JobError: it failed, was canceled, or has not finished in time; ``job`` has its state and problem.
        """
        job_id = job if isinstance(job, str) else job.job_id
        return wait_for(lambda: self.job(job_id), timeout=timeout, poll=poll)

    def retry_job(self, job_id: str) -> JobModel:
        """Run a failed or canceled job again; what it had done already is seen to be unchanged."""
        return self._api.send(JobModel, "POST", f"/v1/jobs/{segment(job_id)}:retry", repeatable=False)

    def cancel_job(self, job_id: str) -> JobModel:
        """Stop a job; what it has committed stays."""
        return self._api.send(JobModel, "POST", f"/v1/jobs/{segment(job_id)}:cancel", repeatable=False)

    # -- aliases and snapshots

    def aliases(self) -> list[AliasModel]:
        """All aliases: the collection that each names, and the one before."""
        return self._api.get(AliasesModel, "/v1/aliases").aliases

    def set_alias(self, alias: str, collection: str) -> AliasModel:
        """Let an alias name a collection, such as one that ``nitari reembed`` has filled.

        Where the answer's ``serving`` is true, every search that begins now is answered from there.

        Args:
            alias: ``default`` is what is searched where nothing else is said.
            collection: Its name.

        Raises:
            ApiNotFoundError: no such collection.
        """
        body = json_bytes({"collection": collection})
        return self._api.send(AliasModel, "PUT", f"/v1/aliases/{segment(alias)}", json=body)

    def set_alias_back(self, alias: str) -> AliasModel:
        """Let an alias name what it named before; once more leads forth again.

        Raises:
            ApiNotFoundError: no such alias, or nothing that it named before.
        """
        path = f"/v1/aliases/{segment(alias)}:back"
        return self._api.send(AliasModel, "POST", path, repeatable=False)

    def snapshots(self) -> list[SnapshotModel]:
        """Snapshots of the server's home, oldest first.

        Raises:
            ApiUsageError: the server's settings name no place for them.
        """
        return self._api.get(SnapshotsModel, "/v1/snapshots").snapshots

    def save_snapshot(self, *, timeout: float = 3600.0) -> SavedModel:
        """Save a snapshot; when this returns, it is published.

        Args:
            timeout: Longest wait, seconds; the first one of a large catalog takes minutes. The server goes on after it.

        Raises:
            ApiUsageError: no place for them is named; ``snapshot-busy``, ``snapshot-race``: somebody else is at it.
        """
        return self._api.send(SavedModel, "POST", "/v1/snapshots", repeatable=False, timeout=timeout)

    # -- the server

    def collections(self) -> list[str]:
        """Names of all collections that the server has open: what an alias names, or named before."""
        return self._api.get(CollectionsModel, "/v1/collections").collections

    def collection(self) -> CollectionModel:
        """This client's collection: its size, what filters can ask about, and the server's limits."""
        return self._api.get(CollectionModel, self._root)

    def stats(self) -> StatsModel:
        """Counts of the catalog and of the server process."""
        return self._api.get(StatsModel, "/v1/stats")

    def live(self) -> HealthModel:
        """Whether the process answers at all."""
        return self._api.get(HealthModel, "/livez")

    def ready(self) -> ReadyModel:
        """Whether searches can be answered, and from what.

        Raises:
            ApiServerError: not now.
        """
        return self._api.get(ReadyModel, "/readyz")

    def metrics(self) -> str:
        """Figures for Prometheus, as text."""
        return self._http.send("GET", "/metrics").decode()

    # -- how

    def _item(self, item_id: str) -> str:
        return f"{self._root}/items/{segment(item_id)}"

    def _search(self, root: str, query: SearchArgs) -> AnswerModel:
        options = dict(query)
        photo = options.pop("photo", None)
        return self._api.ask(AnswerModel, f"{root}/search", options, cast(PhotoSource | None, photo))
