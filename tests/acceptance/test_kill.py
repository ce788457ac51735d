"""kill -9 an import at random moments: nothing counted is lost, and the same command ends where it would have ended."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from nitari.settings import Settings
from nitari.wiring import open_catalog
from support.dump import dump_catalog
from support.shop import make_shop

KILLS = 20
ITEMS = 150

# Prints the counts of every commit, so that the test knows what was acknowledged when the process died.
DRIVER = """
import sys
from nitari.settings import load_settings
from nitari.wiring import open_feed, open_ingester
settings = load_settings(home=sys.argv[1], extract={"regions": "whole", "views": "whole"},
                         models={"embedder": "mobilenet-v2"}, ingest={"workers": 2, "commit_items": 7})
with open_ingester(settings) as ingester:
    feed = open_feed(settings, sys.argv[2])
    ingester.run(feed, on_progress=lambda r: print(r.indexed + r.unchanged, flush=True))
"""


def start(home: Path, shop: Path) -> subprocess.Popen[str]:
    """Start an import in a process of its own."""
    command = [sys.executable, "-c", DRIVER, str(home), str(shop)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def content(settings: Settings) -> dict[str, object]:
    """What a home holds."""
    with open_catalog(settings) as catalog:
        return dump_catalog(catalog, collection="mobilenet-v2")


def test_killed_imports_end_like_an_uninterrupted_one(tmp_path: Path, model_store: object) -> None:
    """20 kills at random moments, then one run to the end: same content, nothing counted lost, nothing twice."""
    shop = make_shop(tmp_path / "shop", ITEMS).folder
    calm = Settings(home=tmp_path / "calm")
    with start(calm.home, shop) as process:
        assert process.wait() == 0
    expected = content(calm)
    assert len(expected) == ITEMS

    moments = random.Random(20)
    home = Settings(home=tmp_path / "killed")
    killed = 0
    while killed < KILLS:
        after = moments.randrange(0, 8)
        with start(home.home, shop) as process:
            assert process.stdout is not None
            counted = 0
            for _ in range(after):  # after so many commits, then at whatever line the process happens to be
                line = process.stdout.readline()
                if not line:
                    break
                counted = int(line)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
            counted = max([counted, *(int(line) for line in process.stdout.read().split("\n")[:-1] if line.strip())])
        if (home.home / "catalog.sqlite").exists():
            found = content(home)
            assert len(found) >= counted
            assert all(found[item_id] == expected[item_id] for item_id in found)
    with start(home.home, shop) as process:
        assert process.wait() == 0
    assert content(home) == expected
