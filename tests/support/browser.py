"""A headless Chromium for tests of the page, with a private profile, on loopback only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",  # as root, in a container, there is none to be had
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, ``None`` where there is none; ``NITARI_TEST_BROWSER`` names another."""
    for name in (os.environ.get("NITARI_TEST_BROWSER", ""), *NAMES):
        if name and (path := shutil.which(name)):
            return path
    return None


@contextmanager
def open_browser(path: str, *, camera: Path | None = None) -> Iterator[Browser]:
    """A browser, closed afterwards.

    Args:
        path: Of the browser.
        camera: An MJPEG file that plays the camera; without it there is no camera.
    """
    camera_args = (
        (
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        )
        if camera
        else ()
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *camera_args])
        try:
            yield browser
        finally:
            browser.close()
