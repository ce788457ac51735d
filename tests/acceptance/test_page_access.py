"""The page for everybody: screen readers, keyboards, small screens, dark rooms, people whom motion makes ill."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import expect

from support.page import PHONE, Site, Tab, Visit

STILL: dict[str, Any] = {"reduced_motion": "reduce"}
LOOKS: dict[str, dict[str, Any]] = {
    "desktop": STILL,
    "dark": STILL | {"color_scheme": "dark"},
    "japanese": STILL | {"locale": "ja-JP"},
    "phone": STILL | PHONE | {"color_scheme": "dark"},
    "forced-colors": STILL | {"forced_colors": "active"},
}


def look_at(tab: Tab, name: str) -> None:
    """Axe finds nothing, and all of it fits."""
    tab.accessible()
    tab.fits()
    tab.shoot(name)


@pytest.mark.parametrize("look", LOOKS)
def test_axe(drawn: Site, visit: Visit, look: str) -> None:
    """Axe finds nothing at the start, in results with an area marked, and where nothing is found."""
    tab = visit(drawn, **LOOKS[look])
    expect(tab.get("starter").first).to_be_visible()
    look_at(tab, f"{look}-start")
    tab.upload(drawn.photos[drawn.ids()[0]])
    with tab.searching():
        tab.get("region").first.click()
    look_at(tab, f"{look}-results")
    tab.open(f"/?item={drawn.loner()[0]}&min=0.95")
    expect(tab.get("nothing-found")).to_be_visible()
    look_at(tab, f"{look}-nothing")


def test_axe_in_dialogs(drawn: Site, visit: Visit) -> None:
    """Axe finds nothing in the drawer of filters that phones have, in the share dialog, and in an error."""
    tab = visit(drawn, None, **STILL, **PHONE)
    tab.item(drawn.ids()[0])
    tab.page.locator(".filters-open").click()
    drawer = tab.page.get_by_role("dialog", name="Filters")
    expect(drawer).to_be_visible()
    look_at(tab, "phone-filters")
    with tab.searching() as filtered:
        drawer.locator(".facet-value input").first.check()
    assert "filter" in filtered.options
    expect(drawer.locator(".drawer-done")).to_contain_text(str(filtered.answer["total"]))
    tab.page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    expect(tab.page.locator(".filters-open")).to_be_focused()
    tab.shoot("phone-filtered")
    tab.get("share").click()
    expect(tab.page.get_by_role("dialog", name="Share")).to_be_visible()
    look_at(tab, "phone-share")
    tab.expecting("status of 404")
    tab.open("/?item=none")
    expect(tab.get("error")).to_be_visible()
    look_at(tab, "phone-error")


def test_landmarks(drawn: Site, visit: Visit) -> None:
    """One main, one banner, one top heading, named regions, headings without gaps, and everything labeled."""
    tab = visit(drawn)
    tab.upload(drawn.photos[drawn.ids()[0]])
    for role in ("main", "banner"):
        expect(tab.page.get_by_role(role)).to_have_count(1)
    expect(tab.page.get_by_role("heading", level=1)).to_have_count(1)
    for name in ("What you search with", "Filters", "Looks like it"):
        expect(tab.page.get_by_role("region", name=name)).to_have_count(1)
    expect(tab.page.get_by_role("article")).to_have_count(tab.cards.count())
    levels: list[int] = tab.page.locator("h1, h2, h3, h4").evaluate_all(
        "all => all.filter((one) => one.checkVisibility()).map((one) => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), levels
    assert tab.page.title()


def test_what_is_announced(drawn: Site, visit: Visit) -> None:
    """A screen reader hears how many products were found and which is closest, and that there are more."""
    tab = visit(drawn)
    live = tab.page.locator("#live")
    expect(live).to_have_attribute("aria-live", "polite")
    found = tab.upload(drawn.photos[drawn.ids()[0]])
    expect(live).to_contain_text(f"{found.answer['total']} products")
    expect(live).to_contain_text(found.answer["hits"][0]["title"])
    tab.page.locator(".results-foot").scroll_into_view_if_needed()
    expect(live).to_contain_text("more products")


def test_without_a_mouse(drawn: Site, visit: Visit) -> None:
    """From the start to a like, a filter and more like this by keys alone; the focus is always to be seen."""
    tab = visit(drawn)
    expect(tab.get("starter").first).to_be_visible()
    press = tab.page.keyboard.press
    press("Tab")
    skip = tab.page.locator("#skip")
    expect(skip).to_be_focused()
    press("Enter")
    expect(tab.page.locator("#main")).to_be_focused()
    tab_to(tab, '[data-testid="starter"]')
    with tab.searching() as found:
        press("Enter")
    expect(tab.page.locator(".results-title")).to_be_focused()
    tab_to(tab, '[data-testid="like"]')
    liked = tab.page.evaluate("document.activeElement.closest('[data-id]').dataset.id")
    assert liked == found.ids[0]
    with tab.searching() as bent:
        press("Space")
    assert bent.options["liked"] == [liked]
    assert tab.page.evaluate("document.activeElement !== document.body"), "the focus was lost"
    with tab.searching():
        tab.get("facet").first.locator("input").first.press("Space")
    assert tab.page.evaluate("document.activeElement.type") == "checkbox"
    tab_to(tab, '[data-testid="more-like-this"]')
    with tab.searching() as alike:
        press("Enter")
    assert alike.options["item_id"] not in alike.ids


def tab_to(tab: Tab, selector: str) -> None:
    """Press Tab until the focus is on such an element; each stop on the way must be visible and marked."""
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        seen = tab.page.evaluate(
            """() => {
              const at = document.activeElement;
              const area = at.getBoundingClientRect();
              const marks = [at, at.nextElementSibling, at.parentElement, at.closest(".field-with-icon")].map(
                (one) => one && getComputedStyle(one));
              const marked = marks.some((style) => style && `${style.outlineStyle} ${style.boxShadow}` !== "none none");
              return { name: at.outerHTML.slice(0, 120), size: area.width * area.height, marked };
            }"""
        )
        assert seen["size"] > 0, seen
        assert seen["marked"], seen
        if tab.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"no {selector} within 60 steps")


@pytest.mark.parametrize("width", [320, 768, 1920])
def test_every_width(drawn: Site, visit: Visit, width: int) -> None:
    """From a small phone (or a desktop at 400 % zoom) to a big screen, nothing sticks out; targets are big enough.

    A card's title is a link of a line's height; the photo above it leads to the same place.
    """
    tab = visit(drawn, viewport={"width": width, "height": 800})
    tab.fits()
    tab.upload(drawn.photos[drawn.ids()[0]])
    tab.fits()
    small = tab.page.locator("button, a[href], input, select, summary").evaluate_all(
        """all => all.filter((one) => one.checkVisibility() && !one.closest(".sr-only, .stage, .skip, .card-title"))
             .map((one) => [one.closest("label") ?? one, one.outerHTML.slice(0, 100)])
             .map(([one, name]) => ({ name, area: one.getBoundingClientRect() }))
             .filter(({ area }) => area.width > 1 && area.height > 1 && (area.width < 24 || area.height < 24))
             .map(({ name, area }) => `${name} ${area.width}x${area.height}`)"""
    )
    assert not small, small
    tab.shoot(f"width-{width}")


def test_reduced_motion(drawn: Site, visit: Visit) -> None:
    """Who asks for less motion gets none: no running animation, no transition that moves."""
    tab = visit(drawn, **STILL)
    tab.upload(drawn.photos[drawn.ids()[0]])
    tab.get("share").click()
    long: list[str] = tab.page.evaluate(
        """() => [...document.querySelectorAll("*")].filter((one) => {
          const style = getComputedStyle(one);
          const ms = (part) => parseFloat(part) * (part.includes("ms") ? 1 : 1000);
          const longest = (text) => Math.max(...text.split(",").map(ms));
          const moves = style.animationName !== "none" && longest(style.animationDuration) > 10;
          return moves || longest(style.transitionDuration) > 10;
        }).map((one) => one.outerHTML.slice(0, 100))"""
    )
    assert not long, long[:5]
    assert tab.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
