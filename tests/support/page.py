"""The search page in a headless browser: tabs that are watched, and what is done in them again and again."""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from support.server import Server

API = "/v1/collections/default"
PATIENCE_MS = 30_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
"""A small phone, as options of a browser context."""

LISTEN = """
const send = window.fetch;
const asText = (blob) => new Promise((resolve) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.split(",")[1]);
  reader.readAsDataURL(blob);
});
window.fetch = async (path, init) => {
  const response = await send(path, init);
  const { body } = init ?? {};
  const { pathname, searchParams } = new URL(path, location.href);
  if (pathname.endsWith("/search") && response.ok) {
    const options = searchParams.get("options") ?? (body instanceof FormData ? body.get("options") : body);
    const photo = body instanceof Blob ? await asText(body) : "";
    response.clone().json().then((answer) => window.nitariAnswered({ options, answer, photo }), () => {});
  }
  return response;
};
"""
"""Tells the test each search's options, photo and answer: the browser's own record of bodies is emptied too early."""

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Site:
    """A catalog, and the server of it.

    Args:
        server: The server.
        folder: The catalog's.
        photos: Its photos by item id.
        api: A client of the server.
    """

    server: Server
    folder: Path
    photos: dict[str, Path]
    api: httpx.Client

    def ids(self) -> list[str]:
        """The item ids in the feed's order."""
        return list(self.photos)

    def search(self, **body: Any) -> dict[str, Any]:
        """What the API answers to a search, asked without the page."""
        response = self.api.post(f"{API}/search", json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def loner(self) -> tuple[str, float]:
        """An item that nothing looks much like, and the best score of the others."""
        best = {item: self.search(item_id=item, k=1)["hits"][0]["score"] for item in self.ids()[::3]}
        item, score = min(best.items(), key=lambda pair: pair[1])
        assert score < 0.95, best
        return item, score


@dataclass
class Reply:
    """A search that the page sent, and its answer; filled when the block around it ends.

    Attributes:
        options: What was asked for.
        photo: What was sent as the photo.
        answer: The answer's JSON.
    """

    options: dict[str, Any] = field(default_factory=dict)
    photo: bytes = b""
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        """Found items, best first."""
        return [hit["item_id"] for hit in self.answer["hits"]]

    @property
    def scores(self) -> list[float]:
        """Their scores."""
        return [hit["score"] for hit in self.answer["hits"]]


class Tab:
    """A tab on a site. What the browser complains about is written down: errors, policy violations, foreign requests.

    Args:
        page: The browser's page.
        site: What it shows.
    """

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.complaints: list[str] = []
        self._expected: list[str] = []
        self._answers: list[dict[str, Any]] = []
        page.expose_function("nitariAnswered", self._on_answer)
        page.add_init_script(LISTEN)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._on_request)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.site.server.url, "blob:", "data:", "about:")):
            self.complaints.append(f"foreign request: {request.url}")

    def _on_answer(self, told: dict[str, Any]) -> None:
        self._answers.append(told)

    def expecting(self, *patterns: str) -> None:
        """Say which complaints belong to what the test does (regular expressions)."""
        self._expected += patterns

    def check(self) -> None:
        """Nothing was complained about that was not expected."""
        unexpected = [text for text in self.complaints if not any(re.search(known, text) for known in self._expected)]
        assert not unexpected, unexpected

    def open(self, path: str = "/") -> None:
        """Go to a path of the site, and wait until the page is there: its start, results, a question or a message."""
        self.page.goto(self.site.server.url + path)
        views = "[data-testid=drop-zone], [data-testid=result-card], dialog[open], .message"
        expect(self.page.locator(views).first).to_be_visible()

    def get(self, testid: str) -> Locator:
        """What has this ``data-testid``."""
        return self.page.get_by_test_id(testid)

    @property
    def cards(self) -> Locator:
        """The result cards."""
        return self.get("result-card")

    def card(self, item_id: str) -> Locator:
        """One item's card."""
        quoted = json.dumps(item_id)  # which CSS reads in the same way
        return self.page.locator(f'[data-testid="result-card"][data-id={quoted}]')

    def shown(self) -> list[str]:
        """The items on the cards, in order."""
        ids: list[str] = self.cards.evaluate_all("cards => cards.map(card => card.dataset.id)")
        return ids

    @contextmanager
    def searching(self) -> Iterator[Reply]:
        """Do something that makes the page search; at the end the answer has come and is shown."""
        before, reply = len(self._answers), Reply()
        yield reply
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while len(self._answers) == before:
            assert time.monotonic() < deadline, "the page did not search, or was not answered"
            self.page.wait_for_timeout(20)
        self.settled_answer(reply, before)

    def settled_answer(self, reply: Reply, before: int) -> None:
        """Take the last answer since ``before``, and wait until it is shown."""
        latest = self._answers[-1]
        reply.options, reply.answer = json.loads(latest["options"]), latest["answer"]
        reply.photo = base64.b64decode(latest["photo"])
        self.settled(reply.ids)

    def settled(self, ids: Sequence[str]) -> None:
        """Wait until the first cards are these, and nothing is waited for."""
        expect(self.page.locator(".grid")).to_have_attribute("aria-busy", "false")
        for at, item_id in ((0, ids[:1]), (len(ids) - 1, ids[-1:])):
            if item_id:
                expect(self.cards.nth(at)).to_have_attribute("data-id", item_id[0])
        assert self.shown()[: len(ids)] == list(ids)

    def upload(self, photo: Path | str | dict[str, Any]) -> Reply:
        """Choose a photo, and wait for what is found."""
        with self.searching() as reply:
            self.get("file-input").set_input_files(photo)  # type: ignore[arg-type]  # a file in memory is a dict here
        return reply

    def item(self, item_id: str, **more: str) -> Reply:
        """Open the link that searches with an item of the catalog."""
        with self.searching() as reply:
            self.open(f"/?{httpx.QueryParams({'item': item_id, **more})}")
        return reply

    def query(self) -> dict[str, list[str]]:
        """The address's parameters."""
        return parse_qs(urlsplit(self.page.url).query)

    def fits(self) -> None:
        """Nothing sticks out sideways, or lies below the page's end."""
        width, screen, height, end = self.page.evaluate(
            """() => {
              const { scrollWidth, clientWidth, scrollHeight, clientHeight } = document.documentElement;
              const end = document.body.offsetHeight + 64;  // with the margins of the last thing on the page
              return [scrollWidth, clientWidth, scrollHeight, Math.max(clientHeight, end)];
            }"""
        )
        assert width <= screen, f"{width} pixels of content on {screen} pixels of screen"
        assert height <= end, f"the page ends at {end}, and can be scrolled to {height}"

    def pictured(self) -> None:
        """Wait for the photos that are in sight."""
        self.page.wait_for_load_state("networkidle")

    def shoot(self, name: str, *, full: bool = False) -> None:
        """A screenshot for people to look at, where ``NITARI_TEST_SCREENSHOTS`` names a folder for them."""
        folder = os.environ.get("NITARI_TEST_SCREENSHOTS")
        if folder:
            self.pictured()
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=full)

    def accessible(self) -> None:
        """Axe finds nothing, once what fades in or out has done so."""
        self.page.evaluate(
            """() => document.getAnimations()
                 .filter((one) => one.effect.getComputedTiming().endTime !== Infinity)
                 .forEach((one) => one.finish())"""
        )
        found = Axe().run(self.page).response["violations"]
        told = [
            f"{one['id']}: {one['help']}: {[(node['target'], node['failureSummary']) for node in one['nodes'][:4]]}"
            for one in found
        ]
        assert not told, "\n".join(told)


Visit: TypeAlias = Callable[..., Tab]
"""`visit(site, path="/", **options of the browser context)`: a tab of its own, watched."""


@contextmanager
def visiting(browser: Browser) -> Iterator[Visit]:
    """Tabs, each in a context of its own; at the end they are checked and closed."""
    contexts: list[BrowserContext] = []
    tabs: list[Tab] = []

    def visit(site: Site, path: str | None = "/", **options: Any) -> Tab:
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1280, "height": 860}} | options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        tab = Tab(context.new_page(), site)
        tabs.append(tab)
        if path is not None:
            tab.open(path)
        return tab

    try:
        yield visit
        for tab in tabs:
            tab.check()
    finally:
        for context in contexts:
            context.close()
