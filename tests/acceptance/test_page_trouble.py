"""The page in trouble: a hostile catalog, a busy server, no network, a token, nothing to show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from support.page import API, PHONE, Site, Tab, Visit
from support.page_catalogs import EVIL_TITLES, SMALL
from support.server import serving

TOKEN = "a-token-for-the-page-only"  # noqa: S105  # of nothing
SEARCH = f"**{API}/search*"
BUSY: dict[str, Any] = {
    "status": 503,
    "content_type": "application/problem+json",
    "headers": {"Retry-After": "1"},
    "body": '{"title": "Service Unavailable", "status": 503, "detail": "too many", "code": "busy", "remedy": "wait"}',
}


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_hostile_catalog(hostile: Site, visit: Visit, phone: bool) -> None:
    """Titles, values, links and ids that are scripts stay texts; odd texts break no layout."""
    tab = visit(hostile, **(PHONE if phone else {}))
    expect(tab.get("starter").first).to_be_visible()
    tab.fits()
    tab.shoot(f"hostile-start-{phone}", full=True)
    found = tab.upload(hostile.photos[hostile.ids()[0]])
    assert len(found.ids) == len(EVIL_TITLES)
    tab.fits()
    harmless(tab)
    for hit in found.answer["hits"]:
        card = tab.card(hit["item_id"])
        links = card.get_by_role("link")
        for at in range(links.count()):
            assert (links.nth(at).get_attribute("href") or "").startswith("https://shop.example/")
    tab.shoot(f"hostile-results-{phone}", full=True)

    tab.get("facet").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    tab.fits()
    if phone:
        tab.page.locator(".filters-open").click()
    scripted = tab.page.locator(".facet-value input:visible")
    with tab.searching() as filtered:
        scripted.first.check()
    assert filtered.options["filter"]
    if phone:
        tab.shoot("hostile-filters")
        tab.page.keyboard.press("Escape")
    expect(tab.get("chip")).to_have_count(1)
    tab.fits()
    first = filtered.ids[0]
    with tab.searching():
        tab.card(first).get_by_test_id("like").click()
    with tab.searching() as alike:
        tab.card(filtered.ids[-1]).get_by_test_id("more-like-this").click()
    assert alike.options["item_id"] == filtered.ids[-1]
    tab.fits()
    tab.get("share").click()
    tab.fits()
    tab.accessible()
    harmless(tab)


def harmless(tab: Tab) -> None:
    """Nothing of the catalog has run or become a part of the page."""
    assert tab.page.evaluate("window.hacked") is None
    assert tab.page.locator("main script, main iframe, main h1:has-text('Free money')").count() == 0
    bad = "all => all.filter((one) => !/^(https?|blob):/.test(one.href)).map((one) => one.href)"
    assert tab.page.locator("main a").evaluate_all(bad) == []


def test_hostile_links(hostile: Site, visit: Visit) -> None:
    """Parameters of a link that are scripts stay texts."""
    tab = visit(hostile, None)
    tab.expecting("status of 40")
    evil = '"><img src=x onerror=window.hacked=1>'
    for path in (f"/?item={evil}", f"/?url=javascript:{evil}", f"/?photo={evil}", f"/?lang={evil}&f.{evil}={evil}"):
        tab.open(path)
        expect(tab.page.locator(".message, [data-testid=drop-zone]").first).to_be_visible()
        tab.fits()
        harmless(tab)
    with tab.searching():
        tab.open(f"/?item={'evil/0?%22%3E%3Cscript%3Ewindow.hacked=10%3C/script%3E%26%230'}&f.<b>x</b>={evil}")
    expect(tab.get("chip")).to_contain_text("<img")
    harmless(tab)


def test_busy_for_a_while(drawn: Site, visit: Visit) -> None:
    """A busy server is asked again when it says so; meanwhile the page says what it waits for."""
    tab = visit(drawn)
    tab.expecting("status of 503")
    left = [2]

    def answer(route: Route) -> None:
        if left[0] == 0:
            return route.continue_()
        left[0] -= 1
        return route.fulfill(**BUSY)

    tab.page.route(SEARCH, answer)
    with tab.searching() as found:
        tab.get("file-input").set_input_files(drawn.photos[drawn.ids()[0]])
        expect(tab.page.locator(".notice")).to_contain_text("busy")
    assert found.ids[0] == drawn.ids()[0]
    assert left == [0]
    expect(tab.page.locator(".notice")).to_be_hidden()


def test_busy_for_too_long(drawn: Site, visit: Visit) -> None:
    """Asked several times in vain, the page says so, and a button asks once more."""
    tab = visit(drawn)
    tab.expecting("status of 503")
    tab.page.clock.install()
    tab.page.route(SEARCH, lambda route: route.fulfill(**BUSY))
    tab.get("starter").first.click()
    message = tab.get("busy")
    for _ in range(60):
        tab.page.clock.run_for(1000)
        if message.is_visible():
            break
    expect(message).to_contain_text("very busy")
    tab.page.unroute(SEARCH)
    with tab.searching():
        message.get_by_role("button", name="Try again").click()
        tab.page.clock.run_for(1000)
    expect(message).to_have_count(0)


def test_network_lost_and_back(drawn: Site, visit: Visit) -> None:
    """Without a network the page says so; when it is back, the search goes on by itself, or on request."""
    tab = visit(drawn)
    tab.upload(drawn.photos[drawn.ids()[0]])
    tab.expecting("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "ERR_FAILED")
    context = tab.page.context
    context.set_offline(True)
    tab.page.get_by_role("radio", name="Whole photo").check(force=True)
    offline = tab.get("offline")
    expect(offline).to_contain_text("cannot be reached")
    tab.accessible()
    tab.shoot("offline")
    with tab.searching() as again:
        context.set_offline(False)
    assert again.options["region"] == "whole"
    expect(offline).to_have_count(0)

    tab.page.route(SEARCH, lambda route: route.abort())
    tab.page.get_by_role("radio", name="Automatic").check(force=True)
    expect(offline).to_be_visible()
    tab.page.unroute(SEARCH)
    with tab.searching() as asked:
        offline.get_by_role("button", name="Try again").click()
    assert asked.options["region"] == "auto"


def test_no_network_at_first(drawn: Site, visit: Visit) -> None:
    """Where not even the catalog can be asked for, the page says so, and tries again on request."""
    tab = visit(drawn, None)
    tab.expecting("ERR_FAILED")
    tab.page.route(f"**{API}", lambda route: route.abort())
    tab.open()
    expect(tab.get("offline")).to_be_visible()
    tab.accessible()
    tab.page.unroute(f"**{API}")
    tab.get("offline").get_by_role("button").click()
    expect(tab.get("drop-zone")).to_be_visible()


def test_server_error(drawn: Site, visit: Visit) -> None:
    """An error page of something in between is told as an error, with a way on."""
    tab = visit(drawn)
    tab.expecting("status of 502")
    tab.page.route(SEARCH, lambda route: route.fulfill(status=502, body="<html>Bad Gateway</html>"))
    tab.get("starter").first.click()
    expect(tab.get("error")).to_contain_text("502")
    tab.page.unroute(SEARCH)
    with tab.searching():
        tab.get("error").get_by_role("button", name="Try again").click()


def test_newest_search_wins(drawn: Site, visit: Visit) -> None:
    """A slow answer to an earlier search does not replace that of a later one."""
    tab = visit(drawn, None)
    tab.item(drawn.ids()[0])
    held: list[Route] = []
    tab.page.route(SEARCH, lambda route: held.append(route) if not held else route.continue_())
    slow = tab.shown()[3]
    tab.card(slow).get_by_test_id("more-like-this").click()
    while not held:
        tab.page.wait_for_timeout(20)
    with tab.searching() as quick:
        tab.page.go_back()
    assert quick.options["item_id"] == drawn.ids()[0]
    held[0].continue_()
    tab.page.wait_for_load_state("networkidle")
    assert tab.shown()[: len(quick.ids)] == quick.ids


@pytest.fixture(scope="module")
def guarded(drawn: Site) -> Iterator[Site]:
    """The drawn catalog, for those who have the token."""
    with serving(drawn.server.home, env=SMALL | {"NITARI__SERVER__TOKEN": TOKEN}) as server:
        yield Site(server, drawn.folder, drawn.photos, drawn.api)


def test_sign_in(guarded: Site, visit: Visit) -> None:
    """Without the token nothing is shown; with it everything, also after a reload; the page does not keep it."""
    tab = visit(guarded, None)
    tab.expecting("status of 401", "status of 403")
    tab.open(f"/?item={guarded.ids()[0]}")
    dialog = tab.page.get_by_role("dialog", name="Sign in")
    field = dialog.get_by_label("Token")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    tab.accessible()
    tab.shoot("sign-in")
    tab.page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    field.fill("wrong-but-long-enough")
    field.press("Enter")
    expect(dialog.get_by_role("alert")).to_contain_text("not the right token")
    expect(tab.cards).to_have_count(0)
    with tab.searching() as found:
        field.fill(TOKEN)
        field.press("Enter")
    assert len(found.ids) == 24
    expect(dialog).to_have_count(0)
    photo = tab.cards.locator("img").first
    photo.evaluate("image => image.decode()")
    with tab.searching():
        tab.page.reload()
    stored = tab.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert TOKEN not in stored
    cookies = tab.page.context.cookies()
    assert cookies
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies)
    assert all(TOKEN not in cookie["value"] for cookie in cookies)


def test_session_ends(guarded: Site, visit: Visit) -> None:
    """Where the session ends while the page is open, the token is asked for, and the search goes on."""
    tab = visit(guarded, None)
    tab.expecting("status of 401", "status of 403")
    tab.open()
    tab.get("token").fill(TOKEN)
    tab.get("token").press("Enter")
    expect(tab.get("drop-zone")).to_be_visible()
    tab.page.context.clear_cookies()
    tab.get("file-input").set_input_files(guarded.photos[guarded.ids()[0]])
    expect(tab.get("token")).to_be_focused()
    with tab.searching() as found:
        tab.get("token").fill(TOKEN)
        tab.get("token").press("Enter")
    assert found.ids[0] == guarded.ids()[0]


def test_empty_catalog(visit: Visit, tmp_path: Path, model_store: object, drawn: Site) -> None:
    """A catalog with nothing in it says so, at the start and where one searches all the same."""
    with serving(tmp_path / "home", env=SMALL) as server:
        tab = visit(Site(server, tmp_path, {}, drawn.api))
        expect(tab.get("empty")).to_contain_text("nothing to search")
        tab.accessible()
        tab.shoot("empty")
        with tab.searching() as nothing:
            tab.get("file-input").set_input_files(drawn.photos[drawn.ids()[0]])
        assert nothing.ids == []
        expect(tab.get("empty")).to_contain_text("empty")
        tab.page.goto("about:blank")
