"""Ways a photo comes into the page: pasted, dropped, taken; big ones made small, broken ones named."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import JSHandle, expect

from support.page import Site, Tab, Visit

HANDED = """([name, type, text]) => {
  const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  data.items.add(new File([bytes], name, { type }));
  return data;
}"""


def handed(tab: Tab, photo: Path, name: str = "photo.jpg", kind: str = "image/jpeg") -> JSHandle:
    """What a drop or a paste brings."""
    return tab.page.evaluate_handle(HANDED, [name, kind, base64.b64encode(photo.read_bytes()).decode()])


def test_paste(drawn: Site, visit: Visit) -> None:
    """A photo in the clipboard, and Control+V."""
    tab = visit(drawn, permissions=["clipboard-read", "clipboard-write"])
    item = drawn.ids()[3]
    tab.page.evaluate(
        """async (path) => {
          const image = new Image();
          image.src = path;
          await image.decode();
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: image.naturalWidth, height: image.naturalHeight });
          canvas.getContext("2d").drawImage(image, 0, 0);
          const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
          await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
        }""",
        f"/v1/collections/default/photos/{item}?size=2048",
    )
    with tab.searching() as found:
        tab.page.keyboard.press("Control+V")
    assert found.ids[0] == item


def test_pasted_text(drawn: Site, visit: Visit) -> None:
    """A pasted link is searched with; other text, and text for a field, is left alone."""
    tab = visit(drawn, permissions=["clipboard-read", "clipboard-write"])
    write = "(text) => navigator.clipboard.writeText(text)"
    tab.page.evaluate(write, "just some words")
    tab.page.keyboard.press("Control+V")
    tab.page.evaluate(write, "https://127.0.0.1:9/x.jpg")
    tab.page.get_by_label("Link to a photo").press("Control+V")
    expect(tab.page.get_by_label("Link to a photo")).to_have_value("https://127.0.0.1:9/x.jpg")
    assert tab.query() == {}
    tab.expecting("status of 400")
    tab.page.locator("h1").first.click()
    tab.page.evaluate("document.activeElement.blur()")
    tab.page.keyboard.press("Control+V")
    expect(tab.get("error")).to_be_visible()
    assert tab.query()["url"] == ["https://127.0.0.1:9/x.jpg"]


def test_drop(drawn: Site, visit: Visit) -> None:
    """A photo dropped onto the start, and another one onto the results of the first."""
    tab = visit(drawn)
    for item, target in ((drawn.ids()[5], tab.get("drop-zone")), (drawn.ids()[9], tab.page.locator(".grid"))):
        data = handed(tab, drawn.photos[item])
        target.dispatch_event("dragenter", {"dataTransfer": data})
        expect(tab.page.locator(".veil")).to_be_visible()
        with tab.searching() as found:
            target.dispatch_event("drop", {"dataTransfer": data})
        assert found.ids[0] == item
        expect(tab.page.locator(".veil")).to_have_count(0)


def test_no_photo_dropped(drawn: Site, visit: Visit, tmp_path: Path) -> None:
    """What cannot be a photo is refused before it travels."""
    tab = visit(drawn)
    note = tmp_path / "notes.pdf"
    note.write_bytes(b"%PDF-1.7")
    zone = tab.get("drop-zone")
    zone.dispatch_event("drop", {"dataTransfer": handed(tab, note, "notes.pdf", "application/pdf")})
    expect(tab.page.locator(".toast")).to_contain_text("not a photo")
    expect(tab.page.get_by_role("status").filter(has_text="not a photo")).to_have_count(1)
    tab.page.locator(".toast").get_by_role("button").click()
    expect(tab.page.locator(".toast")).to_have_count(0)
    expect(zone).to_be_visible()


def test_camera(drawn: Site, visit: Visit) -> None:
    """A photo taken with the camera, which is off afterwards."""
    tab = visit(drawn, permissions=["camera"])
    tab.page.evaluate(
        """() => {
          const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = async (wanted) => (window.stream = await ask(wanted));
        }"""
    )
    tab.get("camera").click()
    dialog = tab.page.get_by_role("dialog", name="Take a photo")
    expect(dialog).to_be_visible()
    shutter = tab.get("shutter")
    expect(shutter).to_be_enabled()
    expect(shutter).to_be_focused()
    tab.shoot("camera")
    tab.accessible()
    with tab.searching() as found:
        shutter.click()
    assert found.ids[0] == drawn.ids()[0], "the film shows this one"
    expect(dialog).to_have_count(0)
    assert tab.page.evaluate("window.stream.getTracks().map(track => track.readyState)") == ["ended"]


def test_camera_closed_again(drawn: Site, visit: Visit) -> None:
    """Escape closes the dialog, and the focus is where it was."""
    tab = visit(drawn, permissions=["camera"])
    tab.get("camera").click()
    expect(tab.get("shutter")).to_be_enabled()
    tab.page.keyboard.press("Escape")
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    expect(tab.get("camera")).to_be_focused()


def test_no_camera(drawn: Site, visit: Visit) -> None:
    """Without a camera, or leave to use it, choosing a file is offered instead."""
    tab = visit(drawn)
    refuse = "async () => { throw new DOMException('no', 'NotAllowedError'); }"
    tab.page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {refuse}; }}")
    with tab.page.expect_file_chooser() as chooser:
        tab.get("camera").click()
    expect(tab.page.locator(".toast")).to_contain_text("camera cannot be used")
    with tab.searching() as found:
        chooser.value.set_files(drawn.photos[drawn.ids()[1]])
    assert found.ids[0] == drawn.ids()[1]


def test_broken_photo(drawn: Site, visit: Visit) -> None:
    """A damaged file: what is wrong and what to do; then a good one."""
    tab = visit(drawn)
    tab.expecting("status of 422")
    broken = drawn.photos[drawn.ids()[0]].read_bytes()[:300]
    tab.get("file-input").set_input_files({"name": "broken.jpg", "mimeType": "image/jpeg", "buffer": broken})
    problem = tab.get("error")
    expect(problem).to_be_visible()
    words = drawn.api.post(
        "/v1/collections/default/search", content=broken, headers={"Content-Type": "image/jpeg"}
    ).json()
    expect(problem).to_contain_text(words["detail"][1:])
    expect(problem).to_contain_text(words["remedy"][1:])
    assert problem.get_attribute("role") == "alert"
    tab.accessible()
    tab.shoot("broken")
    assert tab.upload(drawn.photos[drawn.ids()[2]]).ids[0] == drawn.ids()[2]
    expect(problem).to_have_count(0)


def test_big_photo(drawn: Site, visit: Visit) -> None:
    """A photo of 12 megapixels is made small before it travels, the right way up, and without its metadata."""
    random = np.random.default_rng(3)
    rough = random.integers(0, 256, (300, 400, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    rough[:, :2000] //= 4  # the left half, as it is stored, is dark
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter: the dark half is then at the top
    exif[0x010F] = "Secret Camera"
    file = io.BytesIO()
    Image.fromarray(rough).save(file, "JPEG", quality=92, exif=exif)
    photo = file.getvalue()
    assert len(photo) > 2 * 2**20

    tab = visit(drawn)
    body = tab.upload({"name": "big.jpg", "mimeType": "image/jpeg", "buffer": photo}).photo
    assert 10_000 < len(body) < len(photo) / 2
    assert b"Secret" not in body
    image = Image.open(io.BytesIO(body))
    assert image.size == (1200, 1600)
    pixels = np.asarray(image.convert("L"), dtype=float)
    assert pixels[:800].mean() * 2 < pixels[800:].mean()
