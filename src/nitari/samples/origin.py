"""Where the two real sample catalogs come from, pinned, and how their files become a feed.

What is pinned is the content: a digest over every file that is used. The archive that holds them cannot be pinned,
since GitHub compresses it anew now and then and promises no more than the same files for the same commit.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nitari.errors import DataError

LUMA_COLUMNS = (
    *("id", "item_group_id", "title", "description", "product_type", "gender", "age_group", "color", "material"),
    *("price", "availability", "brand", "link", "image_link", "additional_image_link"),
)
FLAT_COLUMNS = ("id", "title", "product_type", "age_group", "seller_id", "condition", "availability", "image_link")
FLAT_SKIPPED = ("Not sure", "Other", "Skip")
"""Labels that say nothing about the garment."""

Row = dict[str, str]

_APPAREL = "app/code/Magento/ConfigurableSampleData/fixtures/products.csv"
_GEAR = "app/code/Magento/CatalogSampleData/fixtures/SimpleProduct"
_MEDIA = "pub/media/catalog/product"


@dataclass(frozen=True, slots=True)
class Origin:
    """A sample catalog's public origin.

    Args:
        name: The sample's name.
        title: What it is, for people.
        repository: ``owner/name`` on GitHub.
        commit: Full commit id.
        license: Of photos and texts.
        archive_bytes: About how large the archive is, for the progress bar; twice as much is refused.
        keep: Beginnings of the paths that are used; the rest of the archive is skipped.
        photos: Which of those are photos.
        files: How many files are used.
        digest: SHA-256 over the lines ``sha256  path`` of the files used, sorted by path.
        columns: Of the feed.
        rows: Makes the feed's rows from the folder of tables and the names of the photos.
    """

    name: str
    title: str
    repository: str
    commit: str
    license: str
    archive_bytes: int
    keep: tuple[str, ...]
    photos: str
    files: int
    digest: str
    columns: tuple[str, ...]
    rows: Callable[[Path, frozenset[str]], Iterator[Row]]

    @property
    def url(self) -> str:
        """Where the archive is."""
        return f"https://codeload.github.com/{self.repository}/tar.gz/{self.commit}"


def luma_rows(tables: Path, photos: frozenset[str]) -> Iterator[Row]:
    """Rows of the fashion shop: one an item of gear, one a style and color of apparel (sizes look alike)."""
    yield from sorted(_gear_rows(tables, photos), key=lambda row: row["id"])
    yield from sorted(_apparel_rows(tables, photos), key=lambda row: row["id"])


def flat_rows(tables: Path, photos: frozenset[str]) -> Iterator[Row]:
    """Rows of the private sellers' photos: one a photo that is there and whose label says what it shows."""
    for cells in _table(tables / "images.csv", ("image", "sender_id", "label", "kids")):
        name = f"{cells['image']}.jpg"
        if cells["label"] in FLAT_SKIPPED or name not in photos:
            continue
        yield {
            "id": cells["image"],
            "title": cells["label"],
            "product_type": cells["label"],
            "age_group": "kids" if cells["kids"] == "True" else "adult",
            "seller_id": cells["sender_id"],
            "condition": "used",
            "availability": "in_stock",
            "image_link": f"images/{name}",
        }


def _gear_rows(tables: Path, photos: frozenset[str]) -> Iterator[Row]:
    folder = tables / _GEAR
    images: dict[str, list[str]] = {}
    for path in sorted(folder.glob("images_*.csv")):
        for cells in _table(path, ("sku", "image")):
            images.setdefault(cells["sku"], []).append(cells["image"])
    for path in sorted(folder.glob("products_*.csv")):
        for cells in _table(path, ("category", "name", "sku", "price", "description", "material")):
            links = _links(images.get(cells["sku"], ()), photos)
            if not links:
                continue
            item_id = cells["sku"].lower()
            categories = [line for line in cells["category"].split("\n") if line]
            yield _row(
                item_id,
                group_id=item_id,
                title=cells["name"],
                description=cells["description"],
                product_type=" > ".join(categories[:2]),
                gender="unisex",
                color="",
                material=cells["material"].replace("\n", ", "),
                price=cells["price"],
                page=item_id,
                links=links,
            )


def _apparel_rows(tables: Path, photos: frozenset[str]) -> Iterator[Row]:
    needed = (
        "sku",
        "product_type",
        "categories",
        "name",
        "description",
        "price",
        "base_image",
        "additional_attributes",
    )
    rows = [cells for cells in _table(tables / _APPAREL, needed) if cells["sku"]]
    simple = {cells["sku"]: cells for cells in rows if cells["product_type"] == "simple"}
    for style in rows:
        if style["product_type"] != "configurable":
            continue
        seen: set[str] = set()
        for variation in style["configurable_variations"].split("|"):
            said = dict(pair.split("=", 1) for pair in variation.split(",") if "=" in pair)
            cells, color = simple.get(said.get("sku", "")), said.get("color", "")
            if cells is None or not color or color in seen:
                continue
            links = _links([cells["base_image"], *(cells["additional_images"] or "").split(",")], photos)
            if not links:
                continue
            seen.add(color)
            attributes = dict(pair.split("=", 1) for pair in style["additional_attributes"].split(",") if "=" in pair)
            path = style["categories"].split(",")[0].removeprefix("Default Category/").split("/")
            group_id = style["sku"].lower()
            yield _row(
                f"{group_id}-{color.lower()}",
                group_id=group_id,
                title=f"{style['name']} ({color})",
                description=style["description"],
                product_type=" > ".join(path),
                gender={"Men": "male", "Women": "female"}.get(path[0], "unisex"),
                color=color.lower(),
                material=attributes.get("material", "").replace("|", ", "),
                price=style["price"],
                page=re.sub(r"[^a-z0-9]+", "-", style["name"].lower()).strip("-"),
                links=links,
            )


def _row(
    item_id: str,
    *,
    group_id: str,
    title: str,
    description: str,
    product_type: str,
    gender: str,
    color: str,
    material: str,
    price: str,
    page: str,
    links: list[str],
) -> Row:
    return {
        "id": item_id,
        "item_group_id": group_id,
        "title": _text(title),
        "description": _text(description)[:400].rstrip(),
        "product_type": product_type,
        "gender": gender,
        "age_group": "adult",
        "color": color,
        "material": _text(material),
        "price": f"{float(price):.2f} USD",
        "availability": "in_stock",
        "brand": "Luma",
        "link": f"https://luma.example/{page}",
        "image_link": links[0],
        "additional_image_link": ",".join(links[1:]),
    }


def _links(images: Iterable[str], photos: frozenset[str]) -> list[str]:
    """Links to those of the images that are there, each once."""
    names = dict.fromkeys(PurePosixPath(image.strip()).name for image in images if image.strip())
    return [f"images/{name}" for name in names if name in photos]


def _text(markup: str) -> str:
    """A description without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def _table(path: Path, needed: tuple[str, ...]) -> Iterator[Row]:
    """Rows of a table of the origin; missing cells are empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            missing = [name for name in needed if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path.name} has no column {missing[0]!r}", code="sample")
            for cells in reader:
                yield {name: value for name, value in cells.items() if name is not None}
    except (OSError, csv.Error, UnicodeDecodeError) as exc:
        raise DataError(f"{path.name} of the sample's origin cannot be read: {exc}", code="sample") from exc


LUMA = Origin(
    name="luma",
    title="a fashion shop's studio photos",
    repository="magento/magento2-sample-data",
    commit="53807565ba9f23c9409268c02bb995cf39ef553d",
    license="OSL-3.0 or AFL-3.0",
    archive_bytes=80_700_000,
    keep=(_APPAREL, f"{_GEAR}/", f"{_MEDIA}/"),
    photos=f"{_MEDIA}/",
    files=734,
    digest="a00394747ee95b470d320a364cfc856e114f83d101110e5fb52905411593232c",
    columns=LUMA_COLUMNS,
    rows=luma_rows,
)
FLAT = Origin(
    name="flat",
    title="private sellers' photos of clothes",
    repository="alexeygrigorev/clothing-dataset",
    commit="7ed86a9cc56763b6acb35e41cb35184e43a5d218",
    license="CC0-1.0",
    archive_bytes=158_600_000,
    keep=("images.csv", "images/"),
    photos="images/",
    files=5757,
    digest="7a46d7d7c10d2fc2ec23ee05c8f14c07f4460f10e2cad21ed6c6272537808d79",
    columns=FLAT_COLUMNS,
    rows=flat_rows,
)
ORIGINS = {origin.name: origin for origin in (LUMA, FLAT)}
