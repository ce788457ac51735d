"""Another process that edits a home by importing a feed into it, again and again: who a server has to keep up with.

Run as ``python -m support.neighbor HOME SHOP STEPS EVERY_S``. It prints a line once it is ready, waits for one, and
then prints a line for each import: ``{"acked": seconds of time.monotonic, "edits": [[item, number or null], ...]}``.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import time
from pathlib import Path

from nitari.settings import load_settings
from nitari.wiring import open_feed, open_ingester
from support.live import PHOTOS, fields, photo_name

ITEMS = 20
EDITS_A_STEP = 5
FIRST = {f"b-{number:02}": number for number in range(ITEMS)}
"""The items of the first import, with the number of the edit that made each."""


def write_feed(shop: Path, numbers: dict[str, int]) -> None:
    """Write the feed of the items as their edits made them."""
    with (shop / "feed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "image_link", "edit", "parity", "check", "shot"])
        for item_id, number in sorted(numbers.items()):
            shown = fields(number, f"images/{photo_name(number)}")
            writer.writerow([item_id, shown.title, shown.photo, shown.edit, shown.parity, shown.check, shown.photo])


def edited(numbers: dict[str, int], last: int, chance: random.Random) -> list[tuple[str, int | None]]:
    """Edit some items: each gets a new number (with it other attributes and at times another photo), goes, or comes."""
    edits: list[tuple[str, int | None]] = []
    for item_id in chance.sample(sorted(FIRST), EDITS_A_STEP):
        last += 1
        if item_id in numbers and chance.random() < 0.25 and len(numbers) > ITEMS // 2:
            del numbers[item_id]
            edits.append((item_id, None))
        else:
            numbers[item_id] = last
            edits.append((item_id, last))
    return edits


def say(line: str) -> None:
    """Tell the parent process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Import, step by step."""
    home, shop, steps, every_s = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    settings = load_settings(home=home)
    numbers, last, chance = dict(FIRST), PHOTOS * 1000, random.Random(5)
    with open_ingester(settings) as ingester:
        say("ready")
        sys.stdin.readline()
        began = time.monotonic()
        for step in range(steps):
            time.sleep(max(0.0, began + step * every_s - time.monotonic()))
            edits = edited(numbers, last, chance)
            last += EDITS_A_STEP
            write_feed(shop, numbers)
            ingester.run(open_feed(settings, str(shop)), sync=True, allow_delete=True)
            say(json.dumps({"acked": time.monotonic(), "edits": edits}))


if __name__ == "__main__":
    main()
