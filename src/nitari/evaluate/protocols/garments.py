"""The protocols about garments of two catalogs: worn photos that should find flat ones, and "the same color"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from nitari.evaluate.protocols.base import (
    GROUP_ID,
    EvalProtocol,
    EvalQuery,
    GalleryFeed,
    Lens,
    Materials,
    gallery_of,
    items,
    main_photo_only,
    main_photos,
    query_of,
    subfolder,
    unfit,
)
from nitari.evaluate.protocols.kinds import read_kinds
from nitari.types import Item

CATALOG = "eval_catalog"
"""The attribute that says which catalog an item of the mixed gallery is from: ``worn`` or ``flat``."""
COLOR_EMPHASIS = 0.75
"""How strongly "the same color" is asked for, between the model's own weights (.5) and color alone (1)."""


def worn(folder: Path, materials: Materials) -> EvalProtocol:
    """Worn photos against a gallery of both kinds: do they find the same kind of garment, and not just other wearers?

    Queries: main photos of the worn catalog (``luma/``) whose kind the flat catalog (``flat/``) has too, as
    ``worn_types.toml`` has it. Gallery: main photos of both; the query's own style is filtered out. Relevant: the same
    kind, worn or flat. A second question asks flat photos alone.

    A low share of worn photos is easily gamed by answering anything flat: read it together with the precision.
    """
    kinds = read_kinds(folder)
    galleries: dict[str, GalleryFeed] = {}
    found: dict[str, list[Item]] = {}
    for catalog, name in (("worn", kinds.worn), ("flat", kinds.flat)):
        feed = materials.open_feed(subfolder("worn", folder, name))
        gallery = gallery_of(f"worn-{catalog}", feed, [main_photo_only(entry) for entry in feed.read()])
        galleries[catalog] = gallery.map(lambda item, catalog=catalog: _from(catalog, item))  # type: ignore[misc]  # mypy cannot infer it
        found[catalog] = items(galleries[catalog].read())
    kind_of = {item.item_id: kinds.of_worn(item) for item in found["worn"]}
    kind_of |= {item.item_id: kinds.of_flat(item) for item in found["flat"]}
    worn_ids = dict.fromkeys((item.item_id for item in found["worn"]), 1)
    flat_of = _by_kind(found["flat"], kind_of)
    queries: list[EvalQuery] = []
    right, shown, flat_right, flat_asked = {}, {}, {}, {}
    for item in found["worn"]:
        kind = kind_of[item.item_id]
        if kind not in flat_of:
            continue
        link, other = item.image_links[0], f"{item.item_id}@flat"
        alike = [one.item_id for one in found["worn"] if kind_of[one.item_id] == kind and one.group_id != item.group_id]
        apart = {"not": {GROUP_ID: item.group_id, CATALOG: "worn"}}
        asked = query_of(item, link, filter=apart, category=kind)
        queries += (asked, replace(asked, query_id=other, filter={CATALOG: "flat"}))
        flat_right[item.item_id] = flat_asked[other] = flat_of[kind]
        right[item.item_id] = dict.fromkeys(alike, 1) | flat_of[kind]
        shown[item.item_id] = worn_ids
    if not queries:
        raise unfit("worn", folder, "no worn item is of a kind that the flat catalog has", catalog="luma")
    lenses = (
        Lens("P@10", "P@10", meaning="of the right kind, worn or flat"),
        Lens("worn share@10", "P@10", shown, less_is_better=True, meaning="worn photos among the first 10"),
        Lens("flat P@10", "P@10", flat_right, meaning="flat and of the right kind"),
        Lens("P@5 in flat", "P@5", flat_asked, meaning="of the right kind, where flat photos alone may answer"),
    )
    return EvalProtocol("worn", galleries["worn"], tuple(queries), right, (galleries["flat"],), lenses)


def color(folder: Path, materials: Materials) -> EvalProtocol:
    """Asked for the same in this color: do answers have the query's kind and color?

    Queries: main photos of the worn catalog's garments that have a color. Gallery: the main photos of other styles.
    Relevant: the same kind and a color in common. Asked with the emphasis on color, and beside it as it comes.
    """
    kinds = read_kinds(folder)
    feed = materials.open_feed(folder)
    gallery = main_photos(feed)
    garments = [item for item in items(gallery.read()) if kinds.of_worn(item) and kinds.color_of(item)]
    queries, judgments, kind_only, color_only, as_it_comes = [], {}, {}, {}, {}
    for item in garments:
        others = [one for one in garments if one.group_id != item.group_id]
        alike = {one.item_id: 1 for one in others if kinds.of_worn(one) == kinds.of_worn(item)}
        tinted = {one.item_id: 1 for one in others if kinds.color_of(one) & kinds.color_of(item)}
        both = alike.keys() & tinted.keys()
        if not both:
            continue
        link, plain = item.image_links[0], f"{item.item_id}@default"
        asked = query_of(item, link, filter={"not": {GROUP_ID: item.group_id}}, category=kinds.of_worn(item))
        queries.append(replace(asked, options={"emphasis": COLOR_EMPHASIS}))
        queries.append(replace(asked, query_id=plain, pinned=("emphasis",)))
        judgments[item.item_id] = as_it_comes[plain] = dict.fromkeys(sorted(both), 1)
        kind_only[item.item_id], color_only[item.item_id] = alike, tinted
    if not queries:
        raise unfit("color", folder, "no two styles are of one kind and one color", catalog="luma")
    lenses = (
        Lens("P@10", "P@10", meaning="same kind and color"),
        Lens("kind P@10", "P@10", kind_only, meaning="same kind"),
        Lens("color P@10", "P@10", color_only, meaning="same color"),
        Lens("default P@10", "P@10", as_it_comes, meaning="same kind and color where color is not asked for"),
    )
    return EvalProtocol("color", gallery, tuple(queries), judgments, lenses=lenses)


def _from(catalog: str, item: Item) -> Item:
    """An item as the mixed gallery has it: under an id that no item of the other catalog has."""
    return replace(item, item_id=f"{catalog}:{item.item_id}", attributes={**item.attributes, CATALOG: catalog})


def _by_kind(found: Iterable[Item], kind_of: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """The items of each kind, as relevant; items of none of the kinds are left out."""
    sorted_out: dict[str, dict[str, int]] = {}
    for item in found:
        if kind_of[item.item_id]:
            sorted_out.setdefault(kind_of[item.item_id], {})[item.item_id] = 1
    return sorted_out
