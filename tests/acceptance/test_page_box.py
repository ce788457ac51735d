"""The part of the photo that is searched with: found products, and the box by mouse, touch and keyboard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from support.page import PHONE, Reply, Site, Tab, Visit


@pytest.fixture
def tab(drawn: Site, visit: Visit) -> Tab:
    """A tab with a photo searched."""
    tab = visit(drawn)
    tab.upload(drawn.photos[drawn.ids()[4]])
    return tab


def near(box: object, wanted: Sequence[float], slack: float = 0.015) -> None:
    """The region asked for is about this box."""
    assert isinstance(box, list), box
    assert box == pytest.approx(list(wanted), abs=slack)


def stage(tab: Tab) -> dict[str, float]:
    """Where the photo is on the screen."""
    area: Any = tab.page.locator(".stage").bounding_box()
    assert area is not None
    return dict(area)


def drag(tab: Tab, start: Sequence[float], end: Sequence[float], *, let_go: bool = True) -> None:
    """Drag with the mouse from one point of the photo to another (shares of its width and height)."""
    area = stage(tab)
    points = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in (start, end)]
    tab.page.mouse.move(*points[0])
    tab.page.mouse.down()
    tab.page.mouse.move(*points[1], steps=6)
    if let_go:
        tab.page.mouse.up()


def with_box(tab: Tab, box: Sequence[float]) -> Reply:
    """Draw a box with the mouse."""
    with tab.searching() as reply:
        drag(tab, box[:2], box[2:])
    return reply


def test_found_regions(tab: Tab) -> None:
    """Found products are marked on the photo; a click on one searches with it, and shows the box."""
    regions = tab.get("region")
    assert regions.count() > 0
    with tab.searching() as reply:
        regions.first.click()
    near(reply.options["region"], reply.answer["regions"][0]["box"], 0.001)
    expect(tab.get("region-box")).to_be_visible()
    expect(tab.get("region-box")).to_be_focused()
    expect(tab.page.get_by_role("radio", name="An area")).to_be_checked()
    tab.shoot("box-edit")


def test_draw_move_and_resize_by_mouse(tab: Tab) -> None:
    """A box is drawn, moved by its middle, resized by a corner and an edge; results follow each time."""
    drawn_box = with_box(tab, (0.1, 0.1, 0.5, 0.45))
    near(drawn_box.options["region"], (0.1, 0.1, 0.5, 0.45))
    assert drawn_box.answer["query_box"] == pytest.approx(drawn_box.options["region"], abs=0.001)
    with tab.searching() as moved:
        drag(tab, (0.3, 0.25), (0.5, 0.55))
    near(moved.options["region"], (0.3, 0.4, 0.7, 0.75))
    for name, start, end, wanted in (
        ("se", (0.7, 0.75), (0.9, 0.95), (0.3, 0.4, 0.9, 0.95)),
        ("w", (0.3, 0.675), (0.1, 0.675), (0.1, 0.4, 0.9, 0.95)),
        ("n", (0.5, 0.4), (0.5, 0.2), (0.1, 0.2, 0.9, 0.95)),
    ):
        expect(tab.get(f"handle-{name}")).to_be_visible()
        with tab.searching() as resized:
            drag(tab, start, end)
        near(resized.options["region"], wanted)
    assert drawn_box.scores != resized.scores
    assert tab.query()["box"] == [",".join(f"{share:.4f}".rstrip("0") for share in resized.options["region"])]


def test_box_stays_on_the_photo(tab: Tab) -> None:
    """Dragged beyond the photo, the box ends at its edge; pushed over itself, it keeps a smallest size."""
    with_box(tab, (0.3, 0.3, 0.6, 0.6))
    with tab.searching() as moved:
        drag(tab, (0.45, 0.45), (1.4, 1.3))
    near(moved.options["region"], (0.7, 0.7, 1.0, 1.0))
    with tab.searching() as crushed:
        drag(tab, (0.7, 0.7), (1.6, 1.6))
    x1, y1, x2, y2 = crushed.options["region"]
    assert (x2, y2) == (1, 1)
    assert 0.02 < x2 - x1 < 0.06
    assert 0.02 < y2 - y1 < 0.06


def test_escape_takes_a_drag_back(tab: Tab) -> None:
    """Escape during a drag restores the box, and asks nothing."""
    first = with_box(tab, (0.2, 0.2, 0.6, 0.6))
    before = tab.page.url
    drag(tab, (0.4, 0.4), (0.7, 0.7), let_go=False)
    tab.page.keyboard.press("Escape")
    tab.page.mouse.up()
    with tab.searching() as next_one:
        tab.get("region-box").press("ArrowRight")
    near(next_one.options["region"], [share + 0.02 * (at % 2 == 0) for at, share in enumerate(first.options["region"])])
    assert tab.page.url != before


def test_by_keyboard(tab: Tab) -> None:
    """The box is made, moved and resized without a mouse, and says where it is."""
    area = tab.page.get_by_role("radio", name="An area")
    tab.page.get_by_role("radio", name="Automatic").focus()
    with tab.searching() as made:
        tab.page.keyboard.press("ArrowLeft")  # radio buttons go around: to the last one
    expect(area).to_be_checked()
    box = tab.get("region-box")
    expect(box).to_be_focused()
    x1, y1, x2, y2 = made.options["region"]
    for keys, wanted in (
        (("Shift+ArrowLeft", "Shift+ArrowUp"), (x1, y1, x2 - 0.02, y2 - 0.02)),
        (("Control+Shift+ArrowLeft", "Control+Shift+ArrowUp"), (x1, y1, x2 - 0.12, y2 - 0.12)),
        (("ArrowRight", "ArrowDown", "ArrowDown"), (x1 + 0.02, y1 + 0.04, x2 - 0.1, y2 - 0.08)),
    ):
        with tab.searching() as moved:
            for key in keys:
                tab.page.keyboard.press(key)
        near(moved.options["region"], wanted, 0.001)
    x1, y1, x2, y2 = moved.options["region"]
    said = [int(number) for number in re.findall(r"(\d+)%", box.get_attribute("aria-label") or "")]
    assert said == pytest.approx([100 * x1, 100 * y1, 100 * (x2 - x1), 100 * (y2 - y1)], abs=1.01)
    expect(tab.page.locator("#live")).not_to_be_empty()
    with tab.searching() as resized:
        tab.get("handle-nw").press("ArrowDown")
    near(resized.options["region"], (x1, y1 + 0.02, x2, y2), 0.001)
    tab.accessible()


def test_whole_photo_and_back(tab: Tab) -> None:
    """The whole photo, an area, and the automatic choice again; the way back is the way there."""

    def radio(name: str) -> Locator:
        return tab.page.get_by_role("radio", name=name)

    with tab.searching() as whole:
        radio("Whole photo").check(force=True)
    assert whole.options["region"] == "whole"
    assert whole.answer["query_box"] == [0, 0, 1, 1]
    with tab.searching():
        radio("An area").check(force=True)
    with tab.searching() as auto:
        radio("Automatic").check(force=True)
    assert auto.options["region"] == "auto"
    expect(tab.get("region-box")).to_be_hidden()
    for name in ("An area", "Whole photo"):
        with tab.searching():
            tab.page.go_back()
        expect(radio(name)).to_be_checked()


def test_by_touch(drawn: Site, visit: Visit) -> None:
    """On a phone, fingers move the box and pull its corners; beside the box, they scroll."""
    tab = visit(drawn, **PHONE)
    tab.upload(drawn.photos[drawn.ids()[4]])
    with tab.searching() as made:
        tab.get("region").first.tap()
    x1, y1, x2, y2 = made.options["region"]
    touch = Touch(tab)
    with tab.searching() as resized:
        touch.drag(tab.get("handle-se"), -0.2, -0.15)
    near(resized.options["region"], (x1, y1, x2 - 0.2, y2 - 0.15), 0.02)
    with tab.searching() as moved:
        touch.drag(tab.get("region-box"), 0.1, 0.05)
    near(moved.options["region"], (x1 + 0.1, y1 + 0.05, x2 - 0.1, y2 - 0.1), 0.02)
    tab.fits()
    tab.shoot("box-touch")


class Touch:
    """A finger."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._session = tab.page.context.new_cdp_session(tab.page)

    def drag(self, target: Any, dx: float, dy: float) -> None:
        """Pull an element by shares of the photo's width and height."""
        target.scroll_into_view_if_needed()
        box, area = target.bounding_box(), stage(self._tab)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self._send("touchStart", x, y)
        for step in range(1, 7):
            self._send("touchMove", x + dx * area["width"] * step / 6, y + dy * area["height"] * step / 6)
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def _send(self, kind: str, x: float, y: float) -> None:
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
