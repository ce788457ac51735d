"""Why a hit is a hit: bars, the parts that were compared, and heat maps over both photos."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from support.page import API, PHONE, Site, Tab, Visit

SLOW_MS = 120_000
"""For heat maps on a machine that does much else at a time."""


@pytest.fixture
def tab(visit: Visit, drawn: Site) -> Tab:
    """A tab on the drawn catalog, not yet opened."""
    return visit(drawn, None)


def opened(tab: Tab, at: int = 0) -> Locator:
    """The panel of one card, opened, with its bars."""
    card = tab.cards.nth(at)
    with tab.searching():
        card.get_by_test_id("why").click()
    panel = card.get_by_test_id("why-panel")
    expect(panel.locator(".why-sum")).to_be_visible()
    return panel


def paint(tab: Tab, where: Locator) -> list[list[float]]:
    """A heat map's opacity, as it is painted."""
    grid: list[list[float]] = where.evaluate(
        """canvas => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          const row = (y) => Array.from({ length: width }, (_, x) => data[(y * width + x) * 4 + 3] / 255);
          return Array.from({ length: height }, (_, y) => row(y));
        }"""
    )
    return grid


def answering(document: object) -> Callable[[Route], None]:
    """What answers every request with this JSON."""
    return lambda route: route.fulfill(json=document)


def test_bars_and_heat_maps_of_a_photo(tab: Tab, drawn: Site) -> None:
    """A plain search asks for no reasons; one search more brings all of them, and a click the maps of both photos."""
    tab.open()
    item = drawn.ids()[0]
    first = tab.upload(drawn.photos[item])
    assert "why" not in first.options
    assert all(hit["why"] is None for hit in first.answer["hits"])
    toggle = tab.cards.nth(1).get_by_test_id("why")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    with tab.searching() as asked:
        toggle.focus()
        tab.page.keyboard.press("Enter")
    assert asked.options["why"] is True
    assert asked.ids == first.ids
    expect(toggle).to_have_attribute("aria-expanded", "true")
    panel = tab.cards.nth(1).get_by_test_id("why-panel")
    why = asked.answer["hits"][1]["why"]
    expect(panel.locator(".why-row")).to_have_count(len(why["contributions"]) + 1)
    expect(panel.locator(".why-sum dd")).to_have_text(f"{round(100 * why['similarity'])}%")
    expect(tab.cards.nth(1).locator(".match-box")).to_have_css("opacity", "1")
    expect(tab.page.locator(".query-match")).to_have_css("opacity", "1")
    tab.shoot("why-bars")
    tab.accessible()
    # The next card's reasons are here already.
    requests: list[str] = []
    tab.page.on("request", lambda request: requests.append(request.url))
    tab.cards.nth(2).get_by_test_id("why").click()
    expect(tab.cards.nth(2).locator(".why-sum")).to_be_visible()
    assert not [url for url in requests if "/search" in url]
    with tab.page.expect_response(re.compile("/heatmap"), timeout=SLOW_MS):
        panel.get_by_test_id("why-where").click()
    heats = tab.get("heat")
    expect(heats).to_have_count(2)
    expect(tab.get("query-photo").get_by_test_id("heat")).to_have_count(1)
    on_card = tab.cards.nth(1).get_by_test_id("heat")
    options = json.dumps({"hit": first.ids[1]})
    sent = {"photo": drawn.photos[item].read_bytes()}
    maps = drawn.api.post(f"{API}/heatmap", files=sent, data={"options": options}, timeout=SLOW_MS / 1000).json()
    values = maps["hit"]["values"]
    hot = [(row, col) for row, line in enumerate(values) for col, value in enumerate(line) if value == 1]
    painted = paint(tab, on_card)
    assert painted[hot[0][0]][hot[0][1]] == max(max(line) for line in painted)
    corners = [values[row][col] for row in (0, -1) for col in (0, -1)]
    assert max(corners) < 0.5, "empty ground matters"
    expect(panel.get_by_test_id("why-where")).to_have_attribute("aria-pressed", "true")
    expect(panel.locator(".why-legend")).to_be_visible()
    tab.shoot("why-heat")
    tab.accessible()
    panel.get_by_test_id("why-where").click()
    expect(heats).to_have_count(0)
    panel.get_by_test_id("why-where").focus()
    tab.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(toggle).to_be_focused()


def test_of_an_item_and_of_another_search(tab: Tab, drawn: Site) -> None:
    """A search by item shows the item's own map; the next search takes it away; an open card stays true."""
    ids = drawn.ids()
    first = tab.item(ids[0])
    panel = opened(tab)
    with tab.page.expect_response(re.compile("/heatmap"), timeout=SLOW_MS):
        panel.get_by_test_id("why-where").click()
    expect(tab.get("query-photo").get_by_test_id("heat")).to_have_count(1)
    expect(tab.card(first.ids[0]).get_by_test_id("heat")).to_have_count(1)
    with tab.searching(), tab.page.expect_request(lambda request: '"why":true' in (request.post_data or "")):
        tab.get("threshold").press("ArrowRight")
    expect(tab.get("heat")).to_have_count(0)
    expect(tab.card(first.ids[0]).locator(".why-sum")).to_be_visible()


def test_when_it_cannot_be_told(tab: Tab, drawn: Site) -> None:
    """A busy server, a photo that is gone, and an item of which nothing is known are told in words."""

    def nothing_known(route: Route) -> None:
        response = route.fetch()
        body: dict[str, Any] = response.json()
        for hit in body["hits"]:
            hit["why"] = None
        route.fulfill(response=response, json=body)

    tab.page.route("**/search", nothing_known)
    tab.expecting("503")
    tab.item(drawn.ids()[0])
    card = tab.cards.first
    card.get_by_test_id("why").click()
    panel = card.get_by_test_id("why-panel")
    expect(panel).to_contain_text("Nothing more is known")
    busy = {"detail": "5 wait", "status": 503, "code": "busy", "title": "", "remedy": ""}
    tab.page.route("**/heatmap", lambda route: route.fulfill(status=503, json=busy))
    panel.get_by_test_id("why-where").click()
    expect(panel).to_contain_text("Wait a moment")
    tab.page.unroute("**/heatmap")
    gone = {"query": None, "query_reason": "gone", "hit": None, "hit_reason": "gone", "similarity": None}
    tab.page.route("**/heatmap", lambda route: route.fulfill(json=gone))
    panel.get_by_test_id("why-where").click()
    expect(panel).to_contain_text("can no longer be had")
    expect(tab.get("heat")).to_have_count(0)
    tab.accessible()


def test_on_a_phone_in_high_contrast_and_in_japanese(drawn: Site, visit: Visit) -> None:
    """It fits a small screen, can be seen where the device chooses the colors, and speaks Japanese."""
    grid = {"image": None, "box": [0, 0, 1, 1], "rows": 2, "cols": 2, "values": [[0, 0.4], [0.2, 1]], "fall": 0.2}
    for name, options in (
        ("phone", PHONE),
        ("contrast", {"forced_colors": "active"}),
        ("japanese", {"locale": "ja-JP"}),
        ("dark", {"color_scheme": "dark"}),
    ):
        tab = visit(drawn, None, **options)
        image = tab.item(drawn.ids()[0]).answer["hits"][0]["image"]
        maps = {"query": grid, "hit": {**grid, "image": image}}
        tab.page.route("**/heatmap", answering(maps))
        panel = opened(tab)
        panel.get_by_test_id("why-where").click()
        expect(tab.get("heat")).to_have_count(2)
        expect(tab.cards.first.get_by_test_id("heat")).to_have_attribute(
            "aria-label", re.compile("右下" if name == "japanese" else "bottom right")
        )
        tab.fits()
        tab.shoot(f"why-{name}")
        tab.accessible()


def test_shape_and_color_have_bars_of_their_own(colored: Site, visit: Visit) -> None:
    """Where the model tells them apart, what is of the same color and shape owes something to each."""
    tab = visit(colored, None)
    tab.item(colored.ids()[0])
    panel = opened(tab)
    expect(panel.locator("dt").first).to_have_text("Shape")
    expect(panel.locator(".why-color")).to_have_count(1)
    tab.shoot("why-color")
    told = colored.search(item_id=colored.ids()[0], why=True, k=1)["hits"][0]["why"]["contributions"]
    assert min(told["shape"], told["color"]) > 0
    assert colored.api.get(API).status_code == 200
