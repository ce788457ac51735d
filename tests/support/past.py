"""Every row of a catalog that a rollback must bring back, and edits over two collections to try it with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import select

from nitari.catalog import schema
from nitari.catalog.base import CollectionSpec, FeaturesPut, ImagePut, ItemDelete
from nitari.catalog.sql import SqlCatalog
from support.catalogs import COLLECTION, FEED, features_of, put, ready

OTHER = CollectionSpec(name="other", dim=COLLECTION.dim, fingerprint="fedcba9876543210")
IDS = ("a", "b")
# Few, so that an item often has the same photos again, in another order or with other attributes.
PHOTOS: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("l0", "d0"),),
    (("l0", "d0"), ("l1", "d1")),
    (("l1", "d1"), ("l0", "d0")),
    (("l0", "d2"), ("l1", "d1")),
)
Rows = dict[str, list[tuple[Any, ...]]]

_TABLES = ("items", "images", "features", "regions", "views", "vectors")


def rows_of(catalog: SqlCatalog) -> Rows:
    """All rows of items and what hangs on them, numbers and keys included, but for the change that was last."""
    found: Rows = {}
    with catalog._database.read() as connection:
        for name in _TABLES:
            columns = [column for column in schema.metadata.tables[name].c if column.name != "seq"]
            found[name] = sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)
    return found


def ready_twice(catalog: SqlCatalog) -> SqlCatalog:
    """The catalog with the feed and both collections registered."""
    ready(catalog)
    catalog.register_collection(OTHER)
    return catalog


@dataclass(frozen=True)
class Step:
    """A change to try: a put of these photos or, where there are none, a delete.

    Args:
        way: ``put`` gives features in ``collection``; ``both`` in the other one, too; ``add`` only adds features in
            ``collection`` to photos that are stored already.
    """

    item_id: str
    photos: tuple[tuple[str, str], ...]
    price: float
    feed: str | None
    views: int
    collection: str
    way: str

    def take(self, catalog: SqlCatalog) -> None:
        """Change the catalog. Validators and row digests follow from the rest: alone, they are no change."""
        features = {digest: features_of(digest, views=self.views) for _, digest in self.photos}
        if not self.photos:
            catalog.apply([ItemDelete(self.item_id)], collection=self.collection)
        elif self.way == "add":
            puts = [FeaturesPut(self.item_id, link, digest, features[digest]) for link, digest in self.photos]
            catalog.add_features(puts, collection=self.collection)
        else:
            further = OTHER.name if self.collection == COLLECTION.name else COLLECTION.name
            images = [
                ImagePut(
                    link,
                    digest,
                    etag=f"etag of {digest}",
                    last_modified=f"time of {digest}",
                    features=features[digest],
                    other_features={further: features[digest]} if self.way == "both" else {},
                )
                for link, digest in self.photos
            ]
            row = f"{self.photos} {self.price} {self.feed}"
            edit = put(self.item_id, *images, attributes={"price": self.price}, feed_id=self.feed, row_digest=row)
            catalog.apply([edit], collection=self.collection)


steps = st.builds(
    Step,
    item_id=st.sampled_from(IDS),
    photos=st.sampled_from(PHOTOS),
    price=st.sampled_from((1.0, 2.0)),
    feed=st.sampled_from((FEED, None)),
    views=st.sampled_from((1, 2)),
    collection=st.sampled_from((COLLECTION.name, COLLECTION.name, OTHER.name)),
    way=st.sampled_from(("put", "put", "both", "add")),
)
