"""1,000 random edits of a feed, imported in steps, end in the catalog and answers of one import of the last feed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nitari.search.query import Query
from nitari.settings import Settings
from nitari.wiring import open_catalog, open_feed, open_ingester, open_searcher
from support.dump import dump_catalog
from support.shop import Shop, make_shop, write_photo

EDITS = 1000
EDITS_A_STEP = 25
ITEMS = 40


@pytest.fixture
def fast(model_store: object) -> dict[str, object]:
    """Settings of the fastest real configuration."""
    return {"models": {"embedder": "mobilenet-v2"}, "extract": {"regions": "whole", "views": "whole"}}


class Editor:
    """Edits a shop at random: price, photo replaced, photo added, item deleted, re-added, rejected once."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.shop = shop
        self.random = random.Random(seed)
        self.photos = 10_000
        self.gone: dict[str, dict[str, str]] = {}
        self.broken: list[Path] = []

    def edit(self) -> None:
        """One random edit."""
        kinds = (self.price, self.replace_photo, self.add_photo, self.delete, self.add_again, self.reject_once)
        self.random.choice(kinds)()

    def mend(self) -> None:
        """Put good photos where broken ones were."""
        for path in self.broken:
            write_photo(path, self.next_photo())
        self.broken.clear()

    def next_photo(self) -> int:
        """A number for a photo never seen before."""
        self.photos += 1
        return self.photos

    def any_row(self) -> dict[str, str]:
        """A row by chance."""
        return self.shop.rows[self.random.choice(sorted(self.shop.rows))]

    def price(self) -> None:
        """Another price."""
        self.any_row()["price"] = f"{self.random.randrange(1, 99)}.00 USD"

    def replace_photo(self) -> None:
        """Another photo behind the same link."""
        path = self.shop.folder / self.any_row()["image_link"]
        if path not in self.broken:
            write_photo(path, self.next_photo())

    def add_photo(self) -> None:
        """A second photo."""
        row = self.any_row()
        link = f"images/added-{self.next_photo()}.jpg"
        # Sometimes a photo that another item has already: features are shared, never lost with their first owner.
        if self.random.random() < 0.3:
            other = self.shop.folder / self.any_row()["image_link"]
            (self.shop.folder / link).write_bytes(other.read_bytes() if other not in self.broken else b"")
            if other in self.broken:
                write_photo(self.shop.folder / link, self.next_photo())
        else:
            write_photo(self.shop.folder / link, self.next_photo())
        row["additional_image_link"] = link

    def delete(self) -> None:
        """An item leaves the feed."""
        if len(self.shop.rows) > ITEMS // 2:
            row = self.any_row()
            self.gone[row["id"]] = self.shop.rows.pop(row["id"])

    def add_again(self) -> None:
        """An item comes back."""
        if self.gone:
            item_id = self.random.choice(sorted(self.gone))
            self.shop.rows[item_id] = self.gone.pop(item_id)

    def reject_once(self) -> None:
        """The photo is a web page for once."""
        path = self.shop.folder / self.any_row()["image_link"]
        path.write_bytes(b"<html>not found</html>")
        self.broken.append(path)


def test_edits_in_steps_equal_a_fresh_import(tmp_path: Path, fast: dict[str, object]) -> None:
    """Whatever the way there, the catalog and the answers depend on the last feed alone."""
    shop = make_shop(tmp_path / "shop", ITEMS)
    editor = Editor(shop, seed=1000)
    stepped = Settings(home=tmp_path / "stepped", **fast)  # type: ignore[arg-type]  # sections as pydantic reads them
    fresh = Settings(home=tmp_path / "fresh", **fast)  # type: ignore[arg-type]  # likewise
    with open_ingester(stepped) as ingester, open_searcher(stepped) as follower:
        for step in range(EDITS // EDITS_A_STEP):
            for _ in range(EDITS_A_STEP):
                editor.edit()
            ingester.run(open_feed(stepped, str(shop.write())), sync=True, allow_delete=True)
            if step % 4 == 3:
                follower.refresh()
            editor.mend()
        last = ingester.run(open_feed(stepped, str(shop.write())), sync=True, allow_delete=True)
        assert (last.rejections, last.rejected) == (0, 0)
        with open_ingester(fresh) as once:
            once.run(open_feed(fresh, str(shop.folder)))
        with open_catalog(stepped) as one, open_catalog(fresh) as two:
            assert dump_catalog(one, collection="mobilenet-v2") == dump_catalog(two, collection="mobilenet-v2")
            assert not list(one.rejections())
        follower.refresh()
        with open_searcher(fresh) as reference:
            for item_id in shop.rows:
                query = Query(item_id=item_id, k=15, filter={"price": {"lt": 60}})
                assert follower.search(query).hits == reference.search(query).hits
