"""``nitari cache``: what is shown, what is pruned, and what must never be."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitari.catalog.base import ItemDelete
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.cli.main import cli
from nitari.disk import write_whole
from nitari.errors import ConfigurationError
from nitari.images.base import Original
from nitari.images.cache import GRACE_S, OriginalsCache
from support.catalogs import COLLECTION, photo, put, ready


def run(home: Path, *words: str) -> str:
    """What a command of the group prints."""
    done = CliRunner().invoke(cli, ["--home", str(home), "cache", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def shown(home: Path, *words: str) -> Any:
    """What a command of the group prints as JSON."""
    return json.loads(run(home, *words, "--json"))


def keep(home: Path, data: bytes, *, used: bool = False) -> str:
    """Keep an original, last used long ago unless ``used``. Returns its digest."""
    digest = hashlib.sha256(data).hexdigest()
    OriginalsCache(home / "originals").put(Original(data, digest))
    if not used:
        (path,) = (home / "originals").rglob(digest)
        os.utime(path, (time.time() - 2 * GRACE_S,) * 2)
    return digest


def kept(home: Path) -> set[str]:
    """The digests of all originals."""
    return {path.name for path in (home / "originals").rglob("*") if path.is_file()}


def test_show(tmp_path: Path) -> None:
    """Every kind of file is counted by itself, and a home without any is no error."""
    nothing = {"files": 0, "bytes": 0}
    assert shown(tmp_path, "show")["thumbnails"] == nothing
    keep(tmp_path, b"12345")
    write_whole(tmp_path / "thumbnails" / "aa" / "x.jpg", b"123")
    write_whole(tmp_path / "index" / "card" / "snapshot" / "rows", b"1" * 2**20)
    assert shown(tmp_path, "show") == {
        "home": str(tmp_path),
        "originals": {"files": 1, "bytes": 5},
        "thumbnails": {"files": 1, "bytes": 3},
        "index": {"files": 1, "bytes": 2**20},
        "query-photos": nothing,
    }
    assert "1.0 MiB" in run(tmp_path, "show")


def test_prune(tmp_path: Path) -> None:
    """What an item refers to stays: its photos, and uploads that its links name even where they could not be used."""
    stored, uploaded, rejected, dead, fresh = (
        keep(tmp_path, name, used=name == b"fresh") for name in (b"stored", b"uploaded", b"rejected", b"dead", b"fresh")
    )
    with SqlCatalog.open(tmp_path / FILE_NAME) as catalog:
        ready(catalog)
        usable = put("a", photo("http://shop/1.jpg", stored), photo(f"upload:{uploaded}", uploaded))
        links = (*usable.item.image_links, f"upload:{rejected}")
        catalog.apply([replace(usable, item=replace(usable.item, image_links=links))], collection=COLLECTION.name)
    assert shown(tmp_path, "prune") == {"deleted": {"files": 1, "bytes": len(b"dead")}}
    assert kept(tmp_path) == {stored, uploaded, rejected, fresh}
    assert dead not in kept(tmp_path)
    with SqlCatalog.open(tmp_path / FILE_NAME) as catalog:
        catalog.apply([ItemDelete("a")], collection=COLLECTION.name)
    assert "deleted 0 originals" in run(tmp_path, "prune")  # a rollback can bring the item back
    with SqlCatalog.open(tmp_path / FILE_NAME) as catalog:
        catalog.prune_history(datetime.now(UTC))
    assert "deleted 3 originals" in run(tmp_path, "prune")
    assert kept(tmp_path) == {fresh}


def test_prune_of_the_wrong_folder(tmp_path: Path) -> None:
    """Without a catalog nothing says what is needed, so nothing is deleted and no catalog is made."""
    digest = keep(tmp_path, b"x")
    with pytest.raises(ConfigurationError, match="holds no catalog"):
        run(tmp_path, "prune")
    assert kept(tmp_path) == {digest}
    assert not (tmp_path / FILE_NAME).exists()
