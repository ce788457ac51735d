"""The page's content: all that was compared, photos that are found, and nothing that a catalog could make a script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from nitari.evaluate.compare import as_dict, compare
from nitari.evaluate.compare_page import FILES, page, page_data
from nitari.evaluate.compare_run import SavedHit, small
from support.comparing import A, run, runs

HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\u2028'


def data_of(html: str) -> dict[str, Any]:
    """What the page's scripts read."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


def same(place: str) -> str:
    """A photo's place as it is."""
    return place


def test_the_page_tells_what_was_compared() -> None:
    """Numbers are those of the comparison; each hit says where it stands in the other run and what was judged."""
    found = compare(*runs("/photos"))
    told = data_of(page(found, show=same, marks={"won": {"x": 1}}))
    assert told["told"] == json.loads(json.dumps(as_dict(found)))
    assert told["marks"] == {"won": {"x": 1}}
    won = told["queries"][0]
    assert won[0] == "won"
    assert won[6][told["measures"].index("Success@1")] == [0.0, 1.0]
    hits = [(told["items"][item], other, grade) for item, _, _, other, grade, _ in won[5]]
    assert hits == [("r1", 3, 1), ("x", 1, -1), ("y", 2, -1)]
    unjudged = told["queries"][3]
    assert unjudged[6] == 0
    assert [other for _, _, _, other, _, _ in unjudged[5]] == [3, 1, 0]
    assert told["photos"][won[1]] == str(Path("/photos/queries/won.jpg"))
    assert told["photos"][won[5][0][1]] == str(Path("/photos/items/r1.jpg"))


def test_a_run_without_photos_is_shown_with_those_of_the_other() -> None:
    """A committed run knows no photos; the items' and queries' photos of the other run stand in."""
    a, b = runs("/photos")
    told = page_data(compare(small(a), b), show=same)
    shown = [told["photos"][hit[1]] for hit in told["queries"][0][4]]
    assert shown == [str(Path(f"/photos/items/{item}.jpg")) for item in ("x", "y", "r1")]
    nowhere = page_data(compare(small(a), small(b)), show=same)
    assert nowhere["photos"] == []
    assert {hit[1] for query in nowhere["queries"] for hit in (*query[4], *query[5])} == {-1}
    assert page_data(compare(*runs()), show=same, folder=Path("/moved"))["photos"][0].startswith(str(Path("/moved")))


def test_photos_are_listed_once_and_shown_as_asked() -> None:
    """Every photo has one number; what cannot be shown is empty."""
    told = page_data(compare(*runs("/photos")), show=lambda place: Path(place).name)
    assert sorted(told["photos"]) == sorted(
        ["r1.jpg", "r2.jpg", "x.jpg", "y.jpg", "z.jpg", "w.jpg", "won.jpg", "lost.jpg", "tied.jpg", "unjudged.jpg"]
    )
    a, b = runs("/photos")
    linked = replace(b.queries[0], hits=(SavedHit("r1", "https://shop.example/1.jpg"),))
    told = page_data(compare(a, replace(b, queries=(linked,))), show=same)
    assert "https://shop.example/1.jpg" in told["photos"]


def test_nothing_of_a_catalog_becomes_a_script() -> None:
    """Ids, names and links that try to be more than text stay text, and the policy allows the page's script alone."""
    a = run({HOSTILE: "xy", **A}, name=HOSTILE, base="/photos")
    html = page(compare(a, a), show=same)
    assert "alert(1)</script>" not in html
    assert html.count("<script") == 2
    assert "<img" not in html
    assert data_of(html)["queries"][0][0] == HOSTILE
    script = re.search(r'<script type="module">(.*?)</script>', html, re.DOTALL)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert script is not None
    assert style is not None
    assert policy is not None
    for text, directive in ((script[1], "script-src"), (style[1], "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]


def test_nothing_from_elsewhere() -> None:
    """No script or style asks for a file, and none makes markup of text."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(FILES.iterdir()))
    assert not re.search(r"https?://(?!www\.w3\.org)", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|@import", text)
