"""Working with results: likes, threshold, styles, filters, further pages, timing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from support.page import Site, Tab, Visit

PAGE = 24


@pytest.fixture
def tab(visit: Visit, drawn: Site) -> Tab:
    """A tab, not yet opened."""
    return visit(drawn, None)


def slide(tab: Tab, score: float) -> None:
    """Set the threshold."""
    tab.get("threshold").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }",
        f"{score:.2f}",
    )


def test_like_and_dislike(tab: Tab, drawn: Site) -> None:
    """Likes and dislikes bend the search as the API does; each can be taken back, and nothing is both."""
    first = tab.item(drawn.ids()[0])
    liked, disliked = first.ids[4], first.ids[1]
    like, dislike = (tab.card(liked).get_by_test_id(name) for name in ("like", "dislike"))
    with tab.searching() as bent:
        like.click()
    assert bent.options["liked"] == [liked]
    assert bent.ids != first.ids
    asked = drawn.search(item_id=drawn.ids()[0], liked=[liked], k=PAGE)
    assert bent.ids == [hit["item_id"] for hit in asked["hits"]]
    refined = tab.page.locator(".refine")
    expect(refined).to_contain_text("1 like")

    with tab.searching() as both:
        tab.card(disliked).get_by_test_id("dislike").click()
    assert (both.options["liked"], both.options["disliked"]) == ([liked], [disliked])
    expect(refined).to_contain_text("1 like and 1 dislike")
    tab.shoot("refined")
    tab.accessible()
    assert tab.query()["like"] == [liked]
    assert tab.query()["dislike"] == [disliked]

    if liked in both.ids:
        expect(like).to_have_attribute("aria-pressed", "true")
        with tab.searching() as turned:
            dislike.click()
        assert "liked" not in turned.options
        assert turned.options["disliked"] == [disliked, liked]
    with tab.searching() as back:
        tab.get("refine-reset").click()
    assert back.ids == first.ids
    expect(refined).to_be_hidden()


def test_take_one_like_back(tab: Tab, drawn: Site) -> None:
    """Each like stands beside the results, also where its card is gone, and can be taken back there."""
    first = tab.item(drawn.ids()[0], like=drawn.ids()[3])
    token = tab.page.locator(".refine").get_by_role("button", name="Take back the like")
    expect(token).to_have_count(1)
    with tab.searching() as back:
        token.click()
    assert "liked" not in back.options
    assert back.ids != first.ids


def test_threshold(tab: Tab, drawn: Site) -> None:
    """Only what is similar enough is shown; where nothing is, the page says so, and leads to what comes closest."""
    item, best = drawn.loner()
    first = tab.item(item)
    middle = round((first.scores[3] + first.scores[4]) / 2, 2)
    with tab.searching() as fewer:
        slide(tab, middle)
    assert fewer.options["min_score"] == middle
    assert fewer.ids == [hit for hit, score in zip(first.ids, first.scores, strict=True) if score >= middle]
    expect(tab.page.locator(".results-count")).to_contain_text(f"{len(fewer.ids)} of {first.answer['total']}")
    slide(tab, 0.95)
    nothing = tab.get("nothing-found")
    expect(nothing).to_contain_text("Nothing looks like this")
    expect(nothing).to_contain_text(f"reaches {int(best * 100 + 1e-9)}%")
    expect(tab.cards).to_have_count(0)
    expect(tab.page.locator("#live")).to_contain_text("Nothing looks like this")
    tab.shoot("nothing-found")
    tab.accessible()
    with tab.searching() as again:
        nothing.get_by_role("button", name="Show from").click()
    assert again.ids
    assert again.ids[0] == first.ids[0]
    expect(nothing).to_have_count(0)


def test_one_per_style(tab: Tab, drawn: Site) -> None:
    """Each style once, as the API groups them."""
    first = tab.item(drawn.ids()[0])
    groups = [hit["item_group_id"] for hit in first.answer["hits"]]
    assert len(set(groups)) < len(groups)
    with tab.searching() as grouped:
        tab.page.get_by_role("switch").check(force=True)
    found = [hit["item_group_id"] for hit in grouped.answer["hits"]]
    assert len(set(found)) == len(found)
    assert set(groups) <= set(found)
    asked = drawn.search(item_id=drawn.ids()[0], k=PAGE, group_by="group")
    assert grouped.ids == [hit["item_id"] for hit in asked["hits"]]
    assert tab.query()["group"] == ["1"]


def test_more_without_repeats(tab: Tab, drawn: Site) -> None:
    """Further results come at the end of the page, each product once, none left out, until there is no more."""
    item = drawn.ids()[0]
    first = tab.item(item)
    assert len(first.ids) == PAGE
    everything = [hit["item_id"] for hit in drawn.search(item_id=item, k=200)["hits"]]
    tab.page.locator(".results-foot").scroll_into_view_if_needed()
    expect(tab.cards).to_have_count(len(everything))
    assert tab.shown() == everything
    assert sorted(everything) == sorted(set(drawn.ids()) - {item})
    expect(tab.get("load-more")).to_be_hidden()
    expect(tab.page.locator(".results-end")).not_to_be_empty()


def test_more_on_request(tab: Tab, drawn: Site) -> None:
    """Where the network fails while further results are fetched, the first ones stay, and a button asks again."""
    tab.item(drawn.ids()[0])
    tab.expecting("ERR_INTERNET_DISCONNECTED")
    tab.page.context.set_offline(True)
    tab.page.locator(".results-foot").scroll_into_view_if_needed()
    more = tab.get("load-more")
    expect(tab.page.locator(".toast")).to_be_visible()
    expect(tab.cards).to_have_count(PAGE)
    tab.page.context.set_offline(False)
    more.click()
    expect(tab.cards).to_have_count(len(drawn.ids()) - 1)
    assert len(set(tab.shown())) == len(tab.shown())


def test_filters_together(tab: Tab, drawn: Site) -> None:
    """Values of one attribute widen, of two narrow; counts of an attribute are what choosing it would bring."""
    first = tab.item(drawn.ids()[0])
    facets = {facet["name"]: facet for facet in first.answer["facets"]}
    genders = [value["value"] for value in facets["gender"]["values"]]
    colors = [value["value"] for value in facets["color"]["values"]]
    tab.page.locator('[data-testid="facet"][data-name="color"]').evaluate("details => { details.open = true; }")
    with tab.searching():
        tab.page.locator(f'input[data-key="gender={genders[0]}"]').check()
    with tab.searching() as wider:
        tab.page.locator(f'input[data-key="gender={genders[1]}"]').check()
    assert wider.options["filter"] == {"gender": genders[:2]}
    with tab.searching() as both:
        tab.page.locator(f'input[data-key="color={colors[0]}"]').check()
    assert both.options["filter"] == {"gender": genders[:2], "color": [colors[0]]}
    for name, wanted in both.options["filter"].items():
        others = {key: value for key, value in both.options["filter"].items() if key != name}
        shown = next(facet for facet in both.answer["facets"] if facet["name"] == name)
        for value in shown["values"]:
            asked = drawn.search(item_id=drawn.ids()[0], k=1, filter=others | {name: value["value"]})
            assert value["count"] == asked["total"], (name, value, wanted)
    expect(tab.get("chip")).to_have_count(3)
    with tab.searching() as without:
        tab.get("chip").filter(has_text=re.compile("color", re.IGNORECASE)).click()
    assert without.options["filter"] == {"gender": genders[:2]}
    with tab.searching() as cleared:
        tab.page.locator(".chips").get_by_role("button", name="Clear filters").click()
    assert "filter" not in cleared.options
    assert cleared.ids == first.ids
    expect(tab.get("chip")).to_have_count(0)


def test_price_range(tab: Tab, drawn: Site) -> None:
    """From one price to another, by field and by slider."""
    tab.item(drawn.ids()[0])
    price = tab.page.locator('[data-testid="facet"][data-name="price"]')
    price.evaluate("details => { details.open = true; }")
    low = price.locator('input[data-key="field-price-from"]')
    with tab.searching() as dearer:
        low.fill("50")
        low.press("Enter")
    assert dearer.options["filter"] == {"price": {"gte": 50}}
    assert all(hit["attributes"]["price"] >= 50 for hit in dearer.answer["hits"])
    top = price.locator('input[data-key="range-price-to"]')
    with tab.searching() as between:
        top.press("ArrowLeft")
    assert between.options["filter"]["price"]["gte"] == 50
    assert between.options["filter"]["price"]["lte"] < 200
    expect(tab.get("chip")).to_have_count(1)
    expect(tab.get("chip")).to_contain_text("$50")
    assert tab.query()["r.price"][0].startswith("50..")


def test_filters_that_leave_nothing(tab: Tab, drawn: Site) -> None:
    """Where no product passes, the page says that, and not that nothing looks alike."""
    with tab.searching() as nothing:
        tab.open(f"/?item={drawn.ids()[0]}&f.color=no+such+color")
    assert nothing.answer["total"] == 0
    message = tab.get("nothing-found")
    expect(message).to_contain_text("No product passes")
    tab.accessible()
    with tab.searching() as found:
        message.get_by_role("button", name="Clear filters").click()
    assert len(found.ids) == PAGE


def test_timing(tab: Tab, drawn: Site) -> None:
    """The time by stage, as the server measured it, and how long it took until it was here."""
    tab.open()
    photo = drawn.photos[drawn.ids()[0]].read_bytes() + b"never seen before"
    found = tab.upload({"name": "new.jpg", "mimeType": "image/jpeg", "buffer": photo})
    timing = tab.get("timing")
    expect(timing.locator("table")).to_be_hidden()
    timing.locator("summary").click()
    rows = timing.locator("tbody tr")
    stages = {"decode", "regions", "embed", "search"}
    assert stages <= set(found.answer["timing_ms"])
    expect(rows).to_have_count(len(found.answer["timing_ms"]) + 1)
    for name in ("Read the photo", "Find products on it", "Describe its look", "Compare with the catalog"):
        expect(timing.get_by_role("row", name=name)).to_contain_text("ms")
    tab.shoot("timing")
    tab.accessible()
    tab.page.keyboard.press("Escape")
    expect(timing.locator("table")).to_be_hidden()
    expect(timing.locator("summary")).to_be_focused()
