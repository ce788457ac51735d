"""What goes over the wire, both ways. The OpenAPI document, and with it every client, is made from these.

Values of the core become these in ``present.py``, requests become values of the core in ``requests.py``; nothing here
knows more than pydantic. What searches say is in ``schemas_search.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

MAX_IMAGES = 32
MAX_ATTRIBUTES = 256
MAX_BATCH = 1000
MAX_SAMPLE = 100
MAX_TEXT = 10_000

ItemId = Annotated[str, Field(min_length=1, max_length=512, examples=["24-mb01"])]
Link = Annotated[str, Field(min_length=1, max_length=4096, examples=["https://shop.example/photos/24-mb01.jpg"])]
Score = Annotated[float, Field(ge=0, le=1, examples=[0.83])]
Share = Annotated[float, Field(ge=0, le=1)]
BoxModel = Annotated[list[Share], Field(min_length=4, max_length=4, examples=[[0.2, 0.1, 0.8, 0.9]])]
"""``[x1, y1, x2, y2]`` in shares of the upright photo's width and height, y downward."""
Text = Annotated[str, Field(max_length=MAX_TEXT)]
AttributeModel: TypeAlias = bool | float | Text | list[Text]
AnyAttribute: TypeAlias = bool | float | str | list[str]
"""An attribute as the catalog has it: feeds may bring longer texts than the API takes."""


class Wire(BaseModel):
    """What clients send: a field nobody knows is a mistake, and said to be one."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class ItemBody(Wire):
    """An item as a shop describes it. Photos are links, or files beside it in a form."""

    title: Text = ""
    item_group_id: ItemId | None = Field(default=None, description="The style; the item's own id if absent.")
    image_links: list[Link] = Field(
        default=[],
        max_length=MAX_IMAGES,
        description="Main photo first: `http(s)` links, or `upload:` links that an earlier answer named.",
    )
    refetch: bool = Field(
        default=False,
        description="Whether to look again at photos behind links that the item has already; they are kept as they are "
        "otherwise.",
    )
    attributes: dict[Annotated[str, Field(min_length=1, max_length=256)], AttributeModel] = Field(
        default={},
        max_length=MAX_ATTRIBUTES,
        description="Anything else, typed: texts, numbers, booleans, lists of texts.",
        examples=[{"gender": "female", "price": 34.0, "color": ["navy", "white"]}],
    )


class PutOperation(Wire):
    """Insert or replace an item."""

    op: Literal["put"]
    item_id: ItemId
    item: ItemBody


class DeleteOperation(Wire):
    """Delete an item."""

    op: Literal["delete"]
    item_id: ItemId


class BatchBody(Wire):
    """Edits, carried out in order; each succeeds or fails by itself."""

    operations: list[Annotated[PutOperation | DeleteOperation, Field(discriminator="op")]] = Field(
        min_length=1, max_length=MAX_BATCH
    )


class ImportOptions(Wire):
    """How to import."""

    feed_id: str | None = Field(
        default=None, min_length=1, max_length=256, description="Where absent, the URL, or `upload:` and the file name."
    )
    sync: bool = Field(default=False, description="Also delete this feed's items that are no longer in it.")
    allow_delete: bool = Field(default=False, description="Even where that is a large share of them.")


class ImportBody(ImportOptions):
    """An import of a feed at an `http(s)` URL. A feed file is uploaded in a form instead."""

    feed: Link = Field(examples=["https://shop.example/feed.xml"])


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What was found and what was expected.")
    code: str = Field(description="A stable word for programs.", examples=["image"])
    remedy: str = Field(default="", description="What to do about it.")
    errors: list[FieldProblem] = Field(default=[], description="One for each field at fault.")


class FieldProblem(BaseModel):
    """A field at fault."""

    field: str = Field(examples=["region.2"])
    found: str = Field(default="", description="What was sent, shortened.")
    expected: str


class RegionModel(BaseModel):
    """A product found on a photo."""

    box: BoxModel
    label: str
    score: Score


class RejectionModel(BaseModel):
    """A photo or a value that could not be used."""

    code: str
    reason: str
    remedy: str
    image_link: str | None
    location: str | None
    kept: bool = Field(description="Whether an older good photo stays searchable in its place.")


class ItemImageModel(BaseModel):
    """A usable photo of an item."""

    link: str
    photo: str = Field(description="Path of the photo on this server; `size` may be added to the query.")
    width: int
    height: int
    regions: list[RegionModel]


class ItemModel(BaseModel):
    """An item as the catalog has it."""

    item_id: str
    item_group_id: str
    title: str
    feed_id: str | None = Field(description="The feed that owns it; null if it came through the API.")
    image_links: list[str] = Field(description="All that were given, unusable ones included.")
    images: list[ItemImageModel] = Field(description="The usable ones.")
    attributes: dict[str, AnyAttribute]
    seq: int = Field(description="The catalog change that last touched it.")


class ItemsModel(BaseModel):
    """A few items, to show what there is."""

    items: list[ItemModel]


EditStatus: TypeAlias = Literal["created", "replaced", "unchanged", "rejected", "deleted", "absent"]


class EditModel(BaseModel):
    """What became of one edit. It is durable, and this server's answers show it already."""

    item_id: str
    result: EditStatus
    status: int = Field(description="The HTTP status that the edit alone would have had.", examples=[201])
    rejections: list[RejectionModel] = Field(description="Photos that could not be used.")
    image_links: list[str] = Field(description="The item's links; uploaded photos have `upload:` ones.")


class BatchModel(BaseModel):
    """What became of each edit, in the order sent."""

    results: list[EditModel]
    failed: int = Field(description="How many have a status of 400 or more.")
    seq: int


class ProgressModel(BaseModel):
    """Counts of committed work."""

    total: int | None
    rows: int
    indexed: int
    updated: int
    unchanged: int
    rejected: int
    kept: int
    photos: int
    deleted: int
    seconds: float


JobState: TypeAlias = Literal["queued", "running", "succeeded", "failed", "canceled"]


class JobModel(BaseModel):
    """A job: accepted means kept, through restarts too."""

    job_id: str
    kind: Literal["import"]
    state: JobState
    feed: str
    feed_id: str | None
    sync: bool
    allow_delete: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    progress: ProgressModel | None
    problem: Problem | None = Field(description="Why it failed.")


class JobsModel(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobModel]


class AttributeSummaryModel(BaseModel):
    """What filters can ask about."""

    name: str
    kinds: list[str]
    items: int
    distinct: int


class LimitsModel(BaseModel):
    """What the server takes."""

    max_body_bytes: int
    max_pixels: int
    max_k: int
    max_window: int
    max_batch: int


class CollectionModel(BaseModel):
    """A collection, and what can be asked of it."""

    name: str
    aliases: list[str]
    dim: int
    items: int
    groups: int
    keys: int
    seq: int
    attributes: list[AttributeSummaryModel]
    facets: list[str] = Field(description="Attributes that suit as filters of a page, most telling first.")
    emphasis: bool = Field(description="Whether `emphasis` changes a search: whether the model tells color from shape.")
    keeps_query_photos: bool
    query_photo_days: int = Field(description="How long one is kept, where they are kept.")
    limits: LimitsModel


class CollectionsModel(BaseModel):
    """All collections."""

    collections: list[str]


class AliasBody(Wire):
    """What an alias shall name."""

    collection: str = Field(min_length=1, max_length=256, examples=["nitari-fashion"])


class AliasModel(BaseModel):
    """A name that clients use, and the collection that it leads to."""

    alias: str
    collection: str
    previous: str | None = Field(description="Where one step back leads.")
    since: datetime
    serving: bool = Field(description="Whether this server's answers come from it already; else within moments.")


class AliasesModel(BaseModel):
    """All aliases, by name."""

    aliases: list[AliasModel]


class SnapshotModel(BaseModel):
    """A snapshot of the home: catalog, cards, originals that cannot be had again, index."""

    number: int
    at: datetime | None
    seq: int | None = Field(description="The catalog change that it holds.")
    size: int | None = Field(description="Of everything in it, bytes.")
    damaged: str | None = Field(description="What is wrong with it, where it cannot be read.")


class SnapshotsModel(BaseModel):
    """All snapshots, oldest first."""

    url: str
    snapshots: list[SnapshotModel]


class SavedModel(BaseModel):
    """A snapshot that was saved just now."""

    number: int
    seq: int
    size: int = Field(description="Of everything in it, bytes.")
    sent: int = Field(description="Of what had to travel, bytes.")


class StatsModel(BaseModel):
    """Counts of the catalog and of this process."""

    version: str
    collection: str
    items: int
    groups: int
    images: int
    rejections: int
    feeds: dict[str, int]
    catalog_seq: int
    served_seq: int
    uptime_s: float
    waiting: int = Field(description="Requests that wait for a thread now.")


class QueryPhotoModel(BaseModel):
    """A query photo that is kept because somebody asked for it."""

    photo_id: str
    photo: str = Field(description="Its path on this server.")
    expires_at: datetime


class SessionBody(Wire):
    """A sign-in."""

    token: str = Field(min_length=1, max_length=4096, description="The token that the server was started with.")


class SessionModel(BaseModel):
    """Whether a caller is let in."""

    needed: bool = Field(description="Whether searching needs a token.")
    granted: bool = Field(description="Whether this caller may do everything: it has shown the token, or none is set.")


class HealthModel(BaseModel):
    """Whether it is well."""

    status: Literal["ok"]


class ReadyModel(HealthModel):
    """Ready, and with what."""

    collection: str
    items: int
    seq: int


Problem.model_rebuild()
