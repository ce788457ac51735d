"""What goes over the wire about searches: questions and their answers. Everything else is in ``schemas.py``."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from nitari.server.schemas import AnyAttribute, BoxModel, ItemId, Link, RegionModel, Score, Share, Wire

MAX_K = 1000
MAX_WINDOW = 10_000
MAX_FACETS = 32
MAX_FACET_VALUES = 1000
MAX_EXAMPLES = 100
MAX_DIM = 65_536

FilterModel: TypeAlias = dict[str, Any]

FILTER = Field(
    default=None,
    description=(
        "Which items may be answered. Attributes to values, lists of values (any of them), or conditions "
        "(`gt gte lt lte prefix contains exists`); `and`, `or` and `not` combine."
    ),
    examples=[{"gender": "female", "price": {"gte": 10, "lt": 50}, "color": ["red", "blue"]}],
)


class Ranking(Wire):
    """Which hits, how many, and what to count beside them."""

    filter: FilterModel | None = FILTER
    k: int = Field(default=20, ge=1, le=MAX_K, description="How many hits.")
    offset: int = Field(
        default=0, ge=0, le=MAX_WINDOW, description=f"Hits to leave out first; with `k` at most {MAX_WINDOW}."
    )
    min_score: Score | None = Field(default=None, description="Hits below are left out.")
    group_by: Literal["item", "group"] = Field(
        default="item", description="`group`: only the best item of each `item_group_id`."
    )
    facets: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(
        default=[],
        max_length=MAX_FACETS,
        description="Attributes to count values of, over all items that pass the filter.",
        examples=[["gender", "color"]],
    )
    facet_limit: int = Field(default=20, ge=1, le=MAX_FACET_VALUES, description="Most values of each facet.")
    explain: bool = Field(default=False, description="Whether the answer says how the index was searched (`plan`).")
    emphasis: Share = Field(
        default=0.5,
        description="What being alike means: from 0, the same shape, over 0.5, as the model weighs it, to 1, the same "
        "color. Changes nothing where the collection's `emphasis` is false.",
    )
    category: Literal["boost", "restrict", "off"] = Field(
        default="boost",
        description="What to do about the kind of product that the query seems to show (`category` of the answer): "
        "`boost` its like, `restrict` the answer to its like, or nothing (`off`).",
    )
    collapse: bool = Field(
        default=True,
        description="Whether listings that show the very same photos are answered once, the others as `duplicates`.",
    )
    why: bool = Field(default=False, description="Whether each hit says what its score is made of (`why`).")


class SearchOptions(Ranking):
    """What every search can say beside what it searches with."""

    region: Literal["auto", "whole", "largest"] | BoxModel = Field(
        default="auto",
        description="Part of the photo to search with: whole photo and product together (`auto`), the `whole` photo, "
        "the `largest` product, or a box `[x1, y1, x2, y2]` in 0-1.",
    )
    liked: list[ItemId] = Field(default=[], max_length=MAX_EXAMPLES, description="Bend the search towards these items.")
    disliked: list[ItemId] = Field(
        default=[], max_length=MAX_EXAMPLES, description="Bend the search away from these items, and leave them out."
    )
    worn: Literal["auto", "off"] | Share = Field(
        default="auto",
        description="How much of what a wearer adds to the photo is taken out of it: as far as it shows one (`auto`), "
        "nothing (`off`), or a strength, 0-1.",
    )


class SearchBody(SearchOptions):
    """A search without an uploaded photo: exactly one of `url`, `item_id`, `vector` or `photo_id`."""

    url: Link | None = Field(default=None, description="An `http(s)` link to a photo.")
    item_id: ItemId | None = Field(default=None, description="Items that look like this one.")
    vector: list[float] | None = Field(default=None, min_length=1, max_length=MAX_DIM, description="Of the model.")
    photo_id: str | None = Field(default=None, max_length=64, description="A query photo that was kept.")

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"item_id": "24-mb01", "k": 10, "filter": {"price": {"lt": 50}}}]},
    )


class RecommendBody(Ranking):
    """Items like some and unlike others; none of those named is answered."""

    liked: list[ItemId] = Field(min_length=1, max_length=MAX_EXAMPLES)
    disliked: list[ItemId] = Field(default=[], max_length=MAX_EXAMPLES)


class HeatmapOptions(Wire):
    """What to compare a query photo with, and how it was searched with."""

    hit: ItemId = Field(description="The item to compare with.")
    region: Literal["auto", "whole", "largest"] | BoxModel = Field(default="auto", description="As of the search.")
    emphasis: Share = Field(default=0.5, description="As of the search.")
    worn: Literal["auto", "off"] | Share = Field(default="auto", description="As of the search.")


class HeatmapBody(HeatmapOptions):
    """A comparison without an uploaded photo: exactly one of `url`, `item_id` or `photo_id`."""

    url: Link | None = Field(default=None, description="An `http(s)` link to a photo.")
    item_id: ItemId | None = Field(default=None, description="An item that was searched with.")
    photo_id: str | None = Field(default=None, max_length=64, description="A query photo that was kept.")

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": "24-mb01", "hit": "24-mb02"}]})


class DetectBody(Wire):
    """A photo to find products on, that is not uploaded: exactly one of the two."""

    url: Link | None = None
    photo_id: str | None = Field(default=None, max_length=64)


class FacetsBody(Wire):
    """What to count."""

    names: list[Annotated[str, Field(min_length=1, max_length=256)]] = Field(min_length=1, max_length=MAX_FACETS)
    filter: FilterModel | None = FILTER
    limit: int = Field(default=20, ge=1, le=MAX_FACET_VALUES)


class WhyModel(BaseModel):
    """What a hit's score is made of."""

    similarity: float = Field(description="How alike the two photos are: 1 is the same.")
    contributions: dict[str, float] = Field(
        description="What each kind of feature adds to `similarity`; together they are it. `shape`, `color`, `texture` "
        "and `aspect`, as far as the model tells them apart; `vector` where it does not.",
        examples=[{"shape": 0.61, "color": 0.12, "texture": 0.05, "aspect": 0.04}],
    )
    category: float = Field(description="What the item's category adds to the score; below 0 where it takes away.")
    rerank: float = Field(description="What the item's other photos and regions add to the score.")


class HitModel(BaseModel):
    """One item that looks alike."""

    item_id: str
    item_group_id: str
    score: Score
    title: str
    link: str | None = Field(description="The item's product page, where it is an `http(s)` link.")
    image: str = Field(description="The link of the photo that matched best, as the feed gave it.")
    thumbnail: str = Field(description="Path of that photo on this server; `size` may be added to the query.")
    box: BoxModel = Field(description="The region of that photo that matched best.")
    attributes: dict[str, AnyAttribute]
    duplicates: list[str] = Field(
        description="Ids of items that show the same photos and were left out in favor of this one, best first."
    )
    why: WhyModel | None = Field(
        description="What the score is made of; null unless asked for, or while the index is being filled."
    )


class FacetValueModel(BaseModel):
    """A value, and how many items have it."""

    value: bool | float | str
    count: int


class FacetModel(BaseModel):
    """An attribute's values among the items that pass the filter."""

    name: str
    values: list[FacetValueModel]
    low: float | None = Field(description="Smallest number, where there are numbers.")
    high: float | None


Timing = Annotated[
    dict[str, float], Field(description="Milliseconds by stage.", examples=[{"decode": 4.1, "search": 0.4}])
]


class StepModel(BaseModel):
    """What one part of the index did for one query vector."""

    part: str = Field(description="The segment; `live` for what is not sealed yet.", examples=["live"])
    rows: int = Field(description="Rows in it that can be found.")
    allowed: int = Field(description="Rows of those that the filter allows.")
    how: Literal["scan", "gather", "materialized", "codes", "graph", "empty"] = Field(
        description="All rows compared; those that the filter allows; a kept copy of those; codes, then the best "
        "truly compared; a graph; nothing."
    )
    reason: str = Field(description="Why: the costs that were compared.")
    probes: int
    candidates: int = Field(description="Rows whose true distance was computed.")
    ms: float


class GuessModel(BaseModel):
    """What a query was taken for."""

    value: str = Field(description="In the catalog's own words.", examples=["Tops > Tees"])
    probability: Share = Field(description="How sure that is.")


class AnswerModel(BaseModel):
    """Hits, best first."""

    collection: str = Field(description="What was searched: of one answer, everything comes from it.")

    hits: list[HitModel]
    more: bool = Field(description="Whether a larger `offset` would bring further hits.")
    total: int = Field(description="How many items pass the filter, whatever their score.")
    facets: list[FacetModel]
    regions: list[RegionModel] = Field(description="Products found on the query photo.")
    query_box: BoxModel | None = Field(description="The box that was searched with; null without a photo.")
    timing_ms: Timing
    seq: int = Field(description="The catalog change that the answer is up to date with.")
    plan: list[StepModel] | None = Field(description="How the index was searched; null unless `explain` asked for it.")
    category: GuessModel | None = Field(
        description="The kind of product that the query was taken for; null where that is not known, or not to be used."
    )
    worn: Share | None = Field(description="Probability that the photo shows a worn garment; null where nothing tells.")
    familiarity: Share | None = Field(
        description="How much the query shows what the model was trained on; null where nothing tells."
    )


class HeatModel(BaseModel):
    """A grid over a photo: which parts of it make it like the other one."""

    image: str | None = Field(description="The link of an item's photo; null for one that the request brought.")
    box: BoxModel = Field(description="The part of the photo that the grid lies over.")
    rows: int
    cols: int
    values: list[list[Share]] = Field(
        description="Rows from the top: how much the likeness falls when a patch is covered, the most being 1.",
        examples=[[[0.0, 0.4], [0.1, 1.0]]],
    )
    fall: float = Field(description="How much the likeness falls where it falls the most; 0 where nothing matters.")


class HeatmapModel(BaseModel):
    """Where a query and a hit are alike, found by covering their photos patch by patch."""

    collection: str
    similarity: float | None = Field(description="How alike they are with nothing covered.")
    query: HeatModel | None = Field(description="Of the query's photo; null where it cannot be had.")
    query_reason: str = Field(description="Why `query` is null; else empty.")
    hit: HeatModel | None = Field(description="Of the item's photo that is most like it; null where it is gone.")
    hit_reason: str = Field(description="Why `hit` is null; else empty.")
    timing_ms: Timing


class DetectionModel(BaseModel):
    """Products found on a photo, largest first."""

    width: int
    height: int
    regions: list[RegionModel]
    timing_ms: Timing


class FacetsModel(BaseModel):
    """Facets of the whole collection, in the order asked for."""

    facets: list[FacetModel]
    total: int
    seq: int
