"""The OpenAPI document against the server that wrote it, by schemathesis: what it says is what is done.

Requests are made from the document: its examples, every boundary of every schema and what lies just beyond, random
ones, and chains along what operations answer. No answer may be a 5xx, of a status or type that is not documented, or
unlike its schema; what breaks a schema must be refused. That whatever fits a schema is carried out is not asked for: no
schema can say that a photo is one, or that a link leads to one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.api import Probed, probing
from support.server import run_cli
from support.shop import Shop, write_photo

# The ids of the document's own examples, so that they are found; enough of them to outlive deletions.
IDS = ("24-mb01", "24-mb02", "24-mb03", "with/slash", "i0001", "i0002", "i0003", "i0004")
NOT_CHECKED = ("positive_data_acceptance",)


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Probed]:
    """A shop with the items that the document's examples name."""
    folder = tmp_path_factory.mktemp("openapi")
    shop = Shop(folder / "shop")
    for number, item_id in enumerate(IDS):
        write_photo(shop.folder / f"images/{number}.jpg", number)
        shop.put(item_id, photos=[f"images/{number}.jpg"], price=10.0 * number, color="red")
    run_cli(folder / "home", "import", str(shop.write()))
    with probing(folder / "home") as server:
        yield server


def fuzz(probed: Probed, folder: Path, *options: str, but: tuple[str, ...] = ()) -> None:
    """Run schemathesis with all checks but these; on failure, show what it says."""
    command = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or "schemathesis"
    tests = Path(__file__).resolve().parents[1]
    hooks = {"SCHEMATHESIS_HOOKS": "support.fuzz_hooks", "PYTHONPATH": str(tests)}
    done = subprocess.run(
        [command, "--config-file", str(tests / "support" / "schemathesis.toml"),
         "run", f"{probed.server.url}/openapi.json", "--continue-on-failure", "--no-shrink", "--request-timeout", "30",
         "--checks", "all", "--exclude-checks", ",".join((*NOT_CHECKED, *but)), *options],
        cwd=folder, env={**os.environ, **hooks}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def test_the_document_is_kept(probed: Probed, tmp_path: Path) -> None:
    """Examples, boundaries, a few random requests and chains, the same ones in every run."""
    fuzz(probed, tmp_path, "--max-examples", "60", "--generation-deterministic")
    probed.keeps_to_itself(httpx.get(f"{probed.server.url}/openapi.json").text)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_document_is_kept_for_long(probed: Probed, tmp_path: Path) -> None:
    """Thousands of random requests. Name another NITARI_FUZZ_SEED and more NITARI_FUZZ_SECONDS to look further."""
    seconds, seed = os.environ.get("NITARI_FUZZ_SECONDS", "40"), os.environ.get("NITARI_FUZZ_SEED", "1")
    # In long random chains it reports, now and then, that a query photo is gone which was kept two steps before; the
    # chain also deletes photos. The short run above makes this check on chains that are the same every time.
    fuzz(probed, tmp_path, "--max-time", seconds, "--seed", seed, but=("ensure_resource_availability",))
