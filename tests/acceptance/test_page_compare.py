"""The page of ``nitari compare`` in a browser: rows side by side, filters, keys, judgments that are kept."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from nitari.cli.comparing import relative
from nitari.evaluate.compare import as_dict, compare
from nitari.evaluate.compare_page import page
from nitari.evaluate.compare_run import SavedQuery, SavedRun, write_saved
from nitari.evaluate.measures import per_query
from nitari.evaluate.qrels import read_qrels
from support.browser import open_browser
from support.comparing import run, runs
from support.shop import write_photo

ITEMS = [f"i{n}" for n in range(14)]
COUNT = 1500
Opens = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(browser_path: str) -> Iterator[Browser]:
    """A browser of this file."""
    with open_browser(browser_path) as opened:
        yield opened


@pytest.fixture
def opens(browser: Browser) -> Iterator[Opens]:
    """Opens pages that must not complain, nor ask for anything but files and loopback."""
    complaints: list[str] = []
    contexts = []

    def visit(url: str, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(30_000)
        tab = context.new_page()
        tab.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on(
            "request",
            lambda asked: (
                None
                if asked.url.startswith(("file:", "data:", "blob:", "http://127.0.0.1"))
                else complaints.append(f"foreign request: {asked.url}")
            ),
        )
        tab.goto(url)
        expect(tab.locator("#count")).not_to_be_empty()
        return tab

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def photographed(folder: Path) -> tuple[SavedRun, SavedRun]:
    """Two runs whose photos are there."""
    a, b = runs(str(folder))
    places = {
        place for one in (a, b) for query in one.queries for place in (query.photo, *(h.photo for h in query.hits))
    }
    for seed, place in enumerate(sorted(places)):
        write_photo(folder / place, seed)
    return a, b


def written(folder: Path, a: SavedRun, b: SavedRun) -> str:
    """The page of two runs as a file beside their photos; its address."""
    path = folder / "page.html"
    path.write_text(page(compare(a, b), show=lambda place: relative(folder, place)), "utf-8")
    return path.as_uri()


def shown(tab: Page) -> list[str]:
    """The queries in the list, in order."""
    ids: list[str] = tab.locator(".query").evaluate_all("all => all.map(one => one.dataset.id)")
    return ids


def test_rows_stand_side_by_side(opens: Opens, tmp_path: Path) -> None:
    """Numbers are the comparison's; biggest changes come first; each hit says how it moved; photos are seen."""
    a, b = photographed(tmp_path)
    tab = opens(written(tmp_path, a, b))
    expect(tab.locator("#summary")).not_to_contain_text(re.compile("false|undefined|NaN|null"))
    told = as_dict(compare(a, b))
    row = tab.locator("#measures tbody tr").filter(has_text="mAP").locator("td")
    one = told["measures"]["mAP"]
    assert row.nth(0).inner_text() == f"{one['a']:.3f}"
    assert row.nth(1).inner_text() == f"{one['b']:.3f}"
    assert row.all_inner_texts()[5:] == [str(one["won"]), str(one["lost"]), str(one["tied"])]
    assert shown(tab)[:2] == ["lost", "won"] or shown(tab)[:2] == ["won", "lost"]
    won = tab.locator(".query[data-id=won]")
    assert won.locator("[data-side='0'] .move").all_inner_texts() == ["▼1", "▼1", "▲2"]
    assert won.locator("[data-side='1'] .move").all_inner_texts() == ["▲2", "▼1", "▼1"]
    assert won.locator(".is-relevant").count() == 2
    unjudged = tab.locator(".query[data-id=unjudged]")
    assert unjudged.locator("[data-side='1'] .move").last.inner_text() == "new"
    for image in won.locator("img").all():
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("one => one.naturalWidth") > 0
    won.locator("[data-side='0']").nth(2).hover()
    expect(won.locator("[data-side='1']").first).to_have_class(re.compile("is-same"))


def test_filters_and_orders(opens: Opens, tmp_path: Path) -> None:
    """Category, outcome, words and order choose what is shown, and stay over a reload."""
    tab = opens(written(tmp_path, *photographed(tmp_path)))
    tab.select_option("#outcome", "lost")
    assert shown(tab) == ["lost"]
    tab.select_option("#outcome", "all")
    tab.select_option("#category", "Hats")
    assert shown(tab) == ["tied"]
    tab.reload()
    expect(tab.locator("#count")).to_have_text("1 of 4")
    assert shown(tab) == ["tied"]
    tab.select_option("#category", "")
    tab.select_option("#order", "asked")
    assert shown(tab) == ["won", "lost", "tied", "unjudged"]
    tab.fill("#find", "unjud")
    assert shown(tab) == ["unjudged"]
    tab.fill("#find", "nothing like it")
    expect(tab.locator("#queries")).to_contain_text("No query is like this.")


def test_without_judgments(opens: Opens, tmp_path: Path) -> None:
    """Where nobody judged, the page speaks of what moved alone, and orders by it."""
    a, b = photographed(tmp_path)
    blind = [replace(one, queries=tuple(replace(q, grades={}, measures={}) for q in one.queries)) for one in (a, b)]
    tab = opens(written(tmp_path, *blind))
    expect(tab.locator("#summary")).to_contain_text("Nothing was judged")
    expect(tab.locator("#summary")).not_to_contain_text(re.compile("false|undefined|NaN|null"))
    expect(tab.locator("#measure")).to_be_hidden()
    assert tab.locator("#order option").all_inner_texts() == ["most changed", "as asked"]
    assert tab.locator("#outcome option").all_inner_texts() == ["all queries", "another answer", "marked by you"]
    assert shown(tab)[0] == "unjudged"
    assert tab.locator(".is-relevant").count() == 0


def test_everything_by_keys(opens: Opens, tmp_path: Path) -> None:
    """One Tab stop a row, arrows among hits, letters judge, and what was judged is downloaded as qrels."""
    tab = opens(written(tmp_path, *photographed(tmp_path)))
    tab.select_option("#order", "asked")
    first = tab.locator(".query").first
    assert first.locator(".hit[tabindex='0']").count() == 2
    first.locator(".hit").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("n")
    expect(first.locator(".hit").nth(1)).to_have_attribute(
        "aria-label", "Rank 2, item y, rank 3 in B, not relevant (your judgment)"
    )
    expect(first.locator("[data-side='1'][data-item=y]")).to_have_class(re.compile("is-irrelevant"))
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("r")
    tab.keyboard.press("j")
    assert tab.evaluate("document.activeElement.closest('.query').dataset.id") == "lost"
    tab.keyboard.press("k")
    tab.keyboard.press("Enter")
    expect(tab.locator("#closer")).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#closer")).to_be_hidden()
    tab.select_option("#outcome", "marked")
    assert shown(tab) == ["won"]
    with tab.expect_download() as caught:
        tab.click("#download")
    caught.value.save_as(tmp_path / "marks.txt")
    assert read_qrels(tmp_path / "marks.txt") == {"won": {"y": 0, "x": 1}}
    tab.locator(".hit[data-item=x] button").first.click()
    expect(tab.locator("#marks-text")).to_contain_text("1 judgment of yours")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible_and_narrow(opens: Opens, tmp_path: Path, scheme: str) -> None:
    """Axe finds nothing, in the light and in the dark; nothing sticks out on a phone."""
    address = written(tmp_path, *photographed(tmp_path))
    tab = opens(address, color_scheme=scheme)
    tab.locator(".hit button").first.click()
    found = Axe().run(tab).response["violations"]
    assert not found, json.dumps([(one["id"], one["nodes"][0]["failureSummary"]) for one in found])
    phone = opens(address, color_scheme=scheme, viewport={"width": 360, "height": 740})
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_thousands_of_queries_are_drawn_as_one_scrolls(opens: Opens, tmp_path: Path) -> None:
    """Of 1,500 queries only those near are in the page; scrolling brings the others, to the last."""
    rankings = {f"q{n:04}": ITEMS[n % 5 :] for n in range(COUNT)}
    judgments = {query_id: {"i7": 1} for query_id in rankings}
    sides = []
    for shift in (0, 3):
        turned = {query_id: tuple(ranking[shift:] + ranking[:shift]) for query_id, ranking in rankings.items()}
        values = per_query(judgments, {query_id: [(item, 0.0) for item in turned[query_id]] for query_id in turned})
        queries = tuple(
            SavedQuery(query_id, ranking=ranking, grades=judgments[query_id], measures=values[query_id])
            for query_id, ranking in turned.items()
        )
        sides.append(replace(run({"x": "y"}), queries=queries))
    tab = opens(written(tmp_path, *sides))
    assert tab.locator(".query").count() < 100
    tab.select_option("#order", "asked")
    for _ in range(3):
        tab.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        tab.wait_for_timeout(100)
    assert 16 < tab.locator(".query").count() < COUNT
    tab.fill("#find", "q1499")
    assert shown(tab) == ["q1499"]


@contextmanager
def compared(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``nitari compare --serve`` as a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "nitari", "--home", str(folder / "home"), "compare", "a.json", "b.json", "--serve"]
    with subprocess.Popen([*command, *words], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = next(line for line in process.stdout if line.startswith("open the page: "))
            yield process, address.removeprefix("open the page: ").strip()
        finally:
            process.kill()


def test_served_judgments_outlive_a_kill_and_count(opens: Opens, tmp_path: Path) -> None:
    """A judgment is in the file when the page shows it; killed and begun again, the server counts it."""
    a, b = photographed(tmp_path)
    write_saved(tmp_path / "a.json", a)
    write_saved(tmp_path / "b.json", b)
    with compared(tmp_path, "--judgments", "marks.txt") as (process, address):
        tab = opens(address)
        image = tab.locator(".query[data-id=won] img").first
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("one => one.naturalWidth") > 0
        with tab.expect_response("**/judgments"):
            tab.locator(".query[data-id=unjudged] [data-side='1'][data-item=w] button").first.click()
        expect(tab.locator("#marks-text")).to_contain_text("1 judgment of yours, saved in")
        tab.close()  # which would ask the dead server for the photos that it has not seen yet
        if sys.platform == "win32":
            process.kill()
        else:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert read_qrels(tmp_path / "marks.txt") == {"unjudged": {"w": 1}}
    with compared(tmp_path, "--judgments", "marks.txt") as (_, address):
        tab = opens(address)
        expect(tab.locator("#kind")).to_have_text("qrels: 4 queries, 4 judged")
        row = tab.locator("#measures tbody tr").filter(has_text="Success@5").locator("td")
        assert row.all_inner_texts()[:2] == ["0.750", "1.000"]
        with tab.expect_response("**/judgments"):
            tab.locator(".query[data-id=unjudged] [data-side='1'][data-item=w] button").first.click()
        tab.click("#recount")
        expect(tab.locator("#kind")).to_have_text("qrels: 4 queries, 3 judged")
        tab.close()
