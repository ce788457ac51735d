"""Several processes read one index: its files are in memory once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "index_start.py"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells what processes share")
@pytest.mark.parametrize("items", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_four_readers_take_little_more_than_one(tmp_path: Path, items: int) -> None:
    """The mappings of the index take at most 1.3 times as much for four processes; all of it is mapped, not copied."""
    report = tmp_path / "report.json"
    command = [sys.executable, str(BENCHMARK), "--items", str(items), "--home", str(tmp_path / "home"), "--rounds", "1"]
    subprocess.run([*command, "--json", str(report)], cwd=BENCHMARK.parent, check=True, capture_output=True)
    found = json.loads(report.read_text("utf-8"))
    memory = found["memory"]
    assert found["warm"]["rows"] == items
    assert memory["1"]["index_mib"] > 0.5 * items * 128 / 2**20, "codes, rows and keys that were touched"
    assert memory["4"]["index_mib"] <= 1.3 * memory["1"]["index_mib"]
