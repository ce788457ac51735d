"""The page's main road, on each catalog: a photo in, look-alikes out, a filter, more like this."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from support.page import API, Site, Tab, Visit


@pytest.fixture(params=["drawn", "luma", "flat"])
def any_site(request: pytest.FixtureRequest) -> Site:
    """Each catalog."""
    found: Site = request.getfixturevalue(request.param)
    return found


def counts(tab: Tab, name: str) -> dict[str, int]:
    """The values of a facet as the page shows them, by the key of their box, with their counts."""
    rows = tab.page.locator(f'[data-testid="facet"][data-name="{name}"] .facet-value')
    told: list[tuple[str, str]] = rows.evaluate_all(
        """rows => rows.map((row) =>
             [row.querySelector("input").dataset.key, row.querySelector(".facet-count").firstChild.data])"""
    )
    return {key.removeprefix(f"{name}="): int(count.replace(",", "")) for key, count in told}


def choice(answer: dict[str, Any]) -> tuple[str, str, int]:
    """A facet, and a value of it that leaves some hits and takes others away."""
    for facet in answer["facets"]:
        for value in facet["values"][:5]:
            if isinstance(value["value"], str) and 1 < value["count"] < answer["total"]:
                return facet["name"], value["value"], value["count"]
    raise AssertionError(answer["facets"])


def test_photo_filter_more_like_this(any_site: Site, visit: Visit) -> None:
    """A catalog's own photo finds its item first; counts are right; a filter keeps to its word; a hit leads on."""
    tab = visit(any_site)
    name = any_site.folder.name
    expect(tab.get("starter").first).to_be_visible()
    tab.shoot(f"start-{name}")
    item = any_site.ids()[7]
    found = tab.upload(any_site.photos[item])
    assert found.ids[0] == item
    assert found.scores[0] > 0.98
    assert found.scores == sorted(found.scores, reverse=True)
    assert found.answer["total"] == len(any_site.ids())
    expect(tab.page.locator(".results-count")).to_contain_text(str(len(any_site.ids())))
    expect(tab.card(item).locator(".score-number")).to_have_text(f"{int(found.scores[0] * 100 + 1e-9)}%")
    expect(tab.get("region")).to_have_count(len(found.answer["regions"]))
    tab.shoot(f"results-{name}")

    facet, value, count = choice(found.answer)
    asked = any_site.api.post(f"{API}/facets", json={"names": [facet], "limit": 1000}).json()["facets"][0]
    truth = {str(one["value"]): one["count"] for one in asked["values"]}
    shown = counts(tab, facet)
    assert shown.items() <= truth.items()
    assert shown[value] == count
    box = tab.page.locator(f'input[data-key="{facet}={value}"]')
    with tab.searching() as filtered:
        box.check()
    assert filtered.options["filter"] == {facet: [value]}
    assert len(filtered.ids) == filtered.answer["total"] == count
    for hit in filtered.answer["hits"]:
        assert value in hit["attributes"][facet]  # one text, or several
    expect(tab.get("chip")).to_have_count(1)
    expect(box).to_be_focused()
    assert counts(tab, facet)[value] == count
    tab.shoot(f"filtered-{name}")

    second = filtered.ids[1]
    with tab.searching() as alike:
        tab.card(second).get_by_test_id("more-like-this").click()
    assert tab.query()["item"] == [second]
    assert second not in alike.ids
    again = any_site.search(item_id=second, k=24, filter={facet: [value]})
    assert alike.ids == [hit["item_id"] for hit in again["hits"]]
    expect(tab.page.locator(".results-title")).to_be_focused()
    tab.fits()
    tab.shoot(f"more-{name}")


def test_start_from_a_product(drawn: Site, visit: Visit) -> None:
    """Products of the catalog stand ready; each begins a search for what looks like it."""
    tab = visit(drawn)
    starter = tab.get("starter").nth(2)
    item = starter.get_attribute("data-id")
    with tab.searching() as found:
        starter.click()
    assert item not in found.ids
    assert found.ids == [hit["item_id"] for hit in drawn.search(item_id=item, k=24)["hits"]]
    expect(tab.get("query-photo")).to_contain_text("$")
    expect(tab.page.locator(".brand")).to_be_visible()
    tab.page.locator(".brand").click()
    expect(tab.get("drop-zone")).to_be_visible()
    expect(tab.page.get_by_role("heading", level=1)).to_be_focused()


def test_cards_show_what_the_catalog_says(drawn: Site, visit: Visit) -> None:
    """Photo, title, price, score and a link to the shop, on every card."""
    tab = visit(drawn, None)
    found = tab.item(drawn.ids()[0])
    for hit in found.answer["hits"][:5]:
        card = tab.card(hit["item_id"])
        expect(card.get_by_role("heading")).to_contain_text(hit["title"])
        expect(card.locator(".price")).to_have_text(f"${hit['attributes']['price']:.2f}")
        expect(card.get_by_role("meter")).to_have_attribute("aria-valuetext", f"{int(hit['score'] * 100 + 1e-9)}%")
        link = card.get_by_role("link")
        expect(link).to_have_attribute("href", hit["link"])
        expect(link).to_have_attribute("rel", "noopener noreferrer")
    photos = tab.cards.locator("img")
    photos.first.evaluate("image => image.decode()")
    assert photos.first.evaluate("image => image.naturalWidth") > 100


def test_by_link(drawn: Site, visit: Visit) -> None:
    """A link is searched with by the server, which refuses addresses of its own network and says so."""
    tab = visit(drawn)
    field = tab.page.get_by_label("Link to a photo")
    field.fill("nonsense")
    field.press("Enter")
    expect(tab.page.locator("#link-problem")).to_contain_text("https://")
    expect(field).to_have_attribute("aria-invalid", "true")
    tab.expecting("status of 400")
    field.fill("http://127.0.0.1:9/photo.jpg")
    field.press("Enter")
    problem = tab.get("error")
    expect(problem).to_contain_text("127.0.0.1")
    assert tab.query()["url"] == ["http://127.0.0.1:9/photo.jpg"]
    problem.get_by_role("button", name="Start again").click()
    expect(tab.get("drop-zone")).to_be_visible()
