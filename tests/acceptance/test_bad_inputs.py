"""A catalog full of bad photos: each is one clear rejection, the good ones are all indexed, memory is bounded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from nitari.settings import Settings
from nitari.wiring import open_catalog
from support.bad_inputs import write_bad_images
from support.good_inputs import write_good_images

MIN_KINDS = 40
# A decoded 100-megapixel photo is 300 MB; a bomb that got past the caps would be several gigabytes.
MAX_RSS_BYTES = 1200 * 2**20

DRIVER = """
import json, resource, sys
from nitari.settings import load_settings
from nitari.wiring import open_feed, open_ingester
settings = load_settings(home=sys.argv[1], models={"embedder": "mobilenet-v2"},
                         extract={"regions": "whole", "views": "whole"}, ingest={"workers": 2})
with open_ingester(settings) as ingester:
    report = ingester.run(open_feed(settings, sys.argv[2]))
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps({"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "indexed": report.indexed}))
"""


def test_every_bad_photo_is_one_clear_rejection(tmp_path: Path, model_store: object) -> None:
    """40 kinds of bad input beside odd but good ones: codes as foreseen, reasons and remedies, nothing else lost."""
    shop = tmp_path / "shop"
    bad = write_bad_images(shop)
    good = write_good_images(shop / "good")
    assert len(bad) >= MIN_KINDS
    rows = [f"bad-{number},{name}" for number, name in enumerate(sorted(bad))]
    rows += [f"good-{number},good/{name}" for number, name in enumerate(sorted(good))]
    (shop / "feed.csv").write_text("\n".join(["id,image_link", *rows]) + "\n")

    home = Settings(home=tmp_path / "home")
    command = [sys.executable, "-c", DRIVER, str(home.home), str(shop)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no warning of any library reaches the user
    told = json.loads(done.stdout)

    with open_catalog(home) as catalog:
        rejected = {rejection.image_link: rejection for _feed, rejection in catalog.rejections()}
        assert {link: rejection.code for link, rejection in rejected.items()} == bad
        assert catalog.stats().items == told["indexed"] == len(good)
        assert all(catalog.get(f"good-{number}") for number in range(len(good)))
    for link, rejection in rejected.items():
        assert len(rejection.reason) > 15, link
        assert rejection.remedy, link
        assert rejection.item_id is not None
    assert told["rss"] < MAX_RSS_BYTES
