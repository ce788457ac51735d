"""The documents: links lead somewhere, the reference is what the code says, no address of a registry or machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link of a page names a file of the repository."""
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_reference_is_current(tmp_path: Path) -> None:
    """docs/reference/ is what scripts/reference.py writes now."""
    subprocess.run([sys.executable, "scripts/reference.py", "--into", str(tmp_path)], cwd=ROOT, check=True)
    for made in tmp_path.iterdir():
        kept = ROOT / "docs" / "reference" / made.name
        assert kept.read_text("utf-8") == made.read_text("utf-8"), f"run scripts/reference.py: {made.name} is old"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tests_that_are_named_exist(page: Path) -> None:
    """A page that names a test or a folder of tests names one that is there."""
    for named in re.findall(r"`(tests/[\w./-]+)`", page.read_text("utf-8")):
        assert (ROOT / named).exists(), f"{page.name} names {named}"
