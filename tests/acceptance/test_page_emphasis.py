"""What being alike means: the slider from the same shape to the same color, and what the query was taken for."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from support.page import API, PHONE, Site, Tab, Visit

TOP = 6


@pytest.fixture
def tab(visit: Visit, colored: Site) -> Tab:
    """A tab on the catalog of four colors, not yet opened."""
    return visit(colored, None)


def slider(tab: Tab) -> Locator:
    """The slider, as people with a screen reader find it."""
    return tab.page.get_by_role("slider", name="Same shape or same color")


def reds(hits: list[dict[str, Any]]) -> int:
    """How many of the first hits are red."""
    return sum(hit["attributes"]["color"] == "red" for hit in hits[:TOP])


def red_shirt(site: Site) -> str:
    """A red top of the catalog."""
    hits = site.search(item_id=site.ids()[0], k=100, filter={"color": "red"}, category="off")["hits"]
    return next(hit["item_id"] for hit in hits if " Tops " in hit["attributes"]["product_type"])


def test_a_red_shirt_at_same_color_has_red_hits(tab: Tab, colored: Site) -> None:
    """A photo of a red shirt: red things at one end, shirts at the other, today's answer in the middle."""
    assert colored.api.get(API).json()["emphasis"] is True
    tab.open()
    first = tab.upload(colored.photos[red_shirt(colored)])
    assert "emphasis" not in first.options
    with tab.searching() as red:
        slider(tab).press("End")
    assert red.options["emphasis"] == 1
    assert reds(red.answer["hits"]) >= TOP - 1
    assert reds(red.answer["hits"]) >= reds(first.answer["hits"])
    assert red.scores[0] == pytest.approx(1, abs=0.02)
    assert "embed" not in red.answer["timing_ms"], "the photo was embedded once more"
    tab.shoot("same-color")
    tab.accessible()
    with tab.searching() as shape:
        slider(tab).press("Home")
    assert shape.options["emphasis"] == 0
    assert reds(shape.answer["hits"]) < reds(red.answer["hits"])
    with tab.searching() as again:
        slider(tab).press("Delete")
    assert "emphasis" not in again.options
    assert (again.ids, again.scores) == (first.ids, first.scores)


def test_keys_words_and_ways_back(tab: Tab, colored: Site) -> None:
    """Each position has words; a double click, Delete and a button lead back to the middle; likes go with it."""
    tab.item(red_shirt(colored))
    reset = tab.get("emphasis-reset")
    expect(slider(tab)).to_have_attribute("aria-valuetext", "both as usual")
    expect(reset).to_be_hidden()
    with tab.searching() as one:
        slider(tab).press("ArrowRight")
    assert one.options["emphasis"] == 0.55
    expect(slider(tab)).to_have_attribute("aria-valuetext", "10% towards the same color")
    expect(slider(tab)).to_be_focused()
    with tab.searching() as back:
        reset.click()
    assert "emphasis" not in back.options
    expect(slider(tab)).to_be_focused()
    with tab.searching() as shape:
        slider(tab).press("Home")
    expect(slider(tab)).to_have_attribute("aria-valuetext", "100% towards the same shape")
    with tab.searching() as liked:
        tab.card(shape.ids[2]).get_by_test_id("like").click()
    assert (liked.options["emphasis"], liked.options["liked"]) == (0, [shape.ids[2]])
    with tab.searching() as middle:
        slider(tab).dblclick(position={"x": 3, "y": 10})
    assert "emphasis" not in middle.options
    assert tab.query().keys() == {"item", "like"}


def test_a_link_restores_it(tab: Tab, colored: Site, visit: Visit) -> None:
    """The address says it, what makes no sense in one is left out, and a new search keeps the choice."""
    tab.item(red_shirt(colored))
    with tab.searching() as red:
        slider(tab).press("End")
    assert tab.query()["emphasis"] == ["1"]
    tab.get("share").click()
    link = tab.get("share-link").input_value()
    other = visit(colored, None)
    with other.searching() as restored:
        other.open(link.removeprefix(colored.server.url))
    assert (restored.options, restored.ids) == (red.options, red.ids)
    assert slider(other).input_value() == "1"
    with other.searching() as following:
        other.card(other.shown()[0]).get_by_test_id("more-like-this").click()
    assert following.options["emphasis"] == 1
    read = """async (texts) => {
      const { fromParams } = await import(`${location.origin}/assets/js/state.js`);
      return texts.map((emphasis) => fromParams(new URLSearchParams({ emphasis, item: "a" })).emphasis);
    }"""
    assert tab.page.evaluate(read, ["2", "-1", "color", "", "NaN", " "]) == [0.5] * 6
    assert tab.page.evaluate(read, ["0", "1", "0.3"]) == [0, 1, 0.3]


def test_on_a_phone_and_in_high_contrast(colored: Site, visit: Visit) -> None:
    """It fits a small screen, can be seen where the device chooses the colors, and speaks Japanese."""
    phone = visit(colored, None, **PHONE)
    phone.item(colored.ids()[0], emphasis="0.8")
    expect(phone.get("emphasis-reset")).to_be_visible()
    phone.fits()
    phone.accessible()
    phone.shoot("emphasis-phone")
    contrast = visit(colored, None, forced_colors="active")
    contrast.item(colored.ids()[0], emphasis="0.2")
    contrast.shoot("emphasis-contrast")
    contrast.accessible()
    japanese = visit(colored, None, locale="ja-JP")
    japanese.item(colored.ids()[0], emphasis="0.2")
    text = "形を 60% 優先"
    expect(japanese.page.get_by_role("slider", name="形の近さ")).to_have_attribute("aria-valuetext", text)
    japanese.accessible()


def test_a_model_of_shape_alone(drawn: Site, visit: Visit) -> None:
    """Where color is not told from shape there is no slider, and the API says why."""
    assert drawn.api.get(API).json()["emphasis"] is False
    tab = visit(drawn, None)
    tab.item(drawn.ids()[0])
    expect(tab.get("emphasis")).to_be_hidden()


def test_what_the_query_was_taken_for(tab: Tab, colored: Site) -> None:
    """The guess stands beside the results, with the choice of what to do about it; duplicates are counted."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        off = (route.request.post_data_json or {}).get("category") == "off"
        body["category"] = None if off else {"value": "Women > Tops > Shirts", "probability": 0.87}
        body["hits"][1]["duplicates"] = ["a", "b"]
        route.fulfill(response=response, json=body)

    tab.page.route("**/search", answer)
    first = tab.item(red_shirt(colored))
    guess, choice = tab.get("guess"), tab.get("category")
    expect(guess).to_contain_text("Looks like: Women › Tops › Shirts")
    expect(guess).to_have_attribute("title", "87% sure")
    assert "category" not in first.options
    expect(tab.get("duplicates").nth(1)).to_have_text("+2 with the same photos")
    expect(tab.get("duplicates").nth(0)).to_be_hidden()
    tab.accessible()
    with tab.searching() as only:
        choice.select_option("restrict")
    assert only.options["category"] == "restrict"
    assert tab.query()["category"] == ["restrict"]
    with tab.searching() as off:
        choice.select_option("off")
    assert off.options["category"] == "off"
    expect(guess).to_contain_text("Looks like: Women › Tops › Shirts")
    tab.shoot("category")
    tab.page.go_back()
    expect(choice).to_have_value("restrict")
