"""``nitari reembed``, ``collection`` and ``alias``: what they say, what they refuse, and their exit codes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitari.catalog.base import Lack
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.cli import collections
from nitari.cli.main import cli
from nitari.errors import NitariError, NotFoundError, UsageError
from nitari.images.cache import OriginalsCache
from nitari.images.files import FileSource
from nitari.ingest.reembed import Reembedder
from nitari.settings import Settings
from support.catalogs import photo, put
from support.extraction import TextEmbedder, text_extractor

ITEMS = 4


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose catalog has four items of a folder in one collection; models are texts."""
    folder = tmp_path / "photos"
    folder.mkdir()
    with opened(tmp_path) as catalog:
        catalog.register_collection(text_extractor().spec)
        catalog.register_feed("feed", str(folder))
        names = [f"i{n}" for n in range(ITEMS)]
        for name in names:
            (folder / f"{name}.txt").write_text(name)
        puts = [put(n, photo(f"{n}.txt", hashlib.sha256(n.encode()).hexdigest()), feed_id="feed") for n in names]
        catalog.apply(puts, collection="card")
        catalog.point("default", "card")
    monkeypatch.setattr(collections, "open_reembedder", text_reembedder)
    return tmp_path


@contextmanager
def text_reembedder(
    settings: Settings, *, name: str | None = None, refetch: bool = False, as_settings: bool = True
) -> Iterator[Reembedder]:
    """As the real one, for cards that are texts."""
    embedder = TextEmbedder(name=name or settings.models.embedder, salt="new")
    with opened(settings.home) as catalog:
        yield Reembedder(
            catalog=catalog,
            extractor=text_extractor(embedder=embedder),
            originals=OriginalsCache(settings.home / "originals"),
            sources=lambda base: FileSource(Path(str(base))),
        )


def opened(home: Path) -> SqlCatalog:
    """The home's catalog."""
    return SqlCatalog.open(home / FILE_NAME)


def run(home: Path, *words: str, code: int = 0) -> str:
    """What a command prints."""
    done = CliRunner().invoke(cli, ["--home", str(home), *words], catch_exceptions=False, standalone_mode=False)
    assert (done.return_value or 0) == code, done.output
    return done.output


def shown(home: Path, *words: str, code: int = 0) -> Any:
    """What a command prints as JSON."""
    return json.loads(run(home, *words, "--json", code=code))


def refused(home: Path, *words: str) -> NitariError:
    """Why a command is not carried out."""
    with pytest.raises(NitariError) as caught:
        run(home, *words)
    return caught.value


def test_from_beginning_to_end(home: Path) -> None:
    """Embedded beside the one in use, switched, switched back, dropped: each step says what is next."""
    said = run(home, "reembed", "new")
    assert "4 photos" in said
    assert "nitari alias set default new" in said
    listed = run(home, "collection", "list")
    assert "in use as default" in listed
    assert "being built" in listed
    assert "nitari alias back default" in run(home, "alias", "set", "default", "new")
    assert "one step back from default" in run(home, "collection", "list")
    assert "default is card now" in run(home, "alias", "back")
    assert "in use as default" in run(home, "collection", "status")
    assert "dropped collection new with 4 vectors" in run(home, "collection", "drop", "new")
    assert "new" not in run(home, "collection", "list")


def test_as_json(home: Path) -> None:
    """Everything that people are told, for programs."""
    report = shown(home, "reembed", "new", "--switch")
    assert (report["collection"], report["photos"], report["complete"]) == ("new", ITEMS, True)
    assert (report["lacks"], report["lacking"], report["in_use"]) == ([], 0, True)
    old, new = shown(home, "collection", "list")
    assert (old["name"], old["previous_of"], old["maintained"]) == ("card", ["default"], True)
    assert (new["name"], new["aliases"], new["vectors"], new["lacking"]) == ("new", ["default"], ITEMS, 0)
    status = shown(home, "collection", "status")
    assert status == {**new, "lacks": []}
    (alias,) = shown(home, "alias", "list")
    assert (alias["name"], alias["collection"], alias["previous"]) == ("default", "new", "card")
    assert alias["at"].endswith("+00:00")
    assert shown(home, "alias", "back")["collection"] == "card"
    assert shown(home, "alias", "set", "shop", "new")["previous"] is None
    shown(home, "alias", "set", "shop", "card")
    assert shown(home, "collection", "drop", "new") == {"dropped": "new", "vectors": ITEMS}


def test_what_cannot_be_had_is_told(home: Path) -> None:
    """Photos are listed with reason and remedy, the exit code is 3, and no switch happens unless asked for."""
    (home / "photos" / "i1.txt").unlink()
    said = run(home, "reembed", "new", "--switch", code=3)
    assert "3 photos" in said
    assert "i1 i1.txt  [file-missing]" in said
    assert "--allow-missing" in said
    with opened(home) as catalog:
        assert catalog.resolve("default") == "card"
    status = shown(home, "collection", "status", "new")
    assert (status["lacking"], [lack["code"] for lack in status["lacks"]]) == (1, ["file-missing"])
    error = refused(home, "alias", "set", "default", "new")
    assert error.code == "collection-lacking"
    assert "nitari collection status new" in error.remedy
    assert "lacks" in run(home, "reembed", "--name", "new", code=3)
    assert shown(home, "reembed", "new", "--switch", "--allow-missing", code=3)["in_use"]


def test_photos_still_to_be_embedded(home: Path) -> None:
    """A collection that was begun says how it is gone on with; one that nothing names any more is not kept up."""
    with opened(home) as catalog:
        catalog.register_collection(text_extractor(embedder=TextEmbedder(name="new")).spec)
    assert "not kept up" in run(home, "collection", "list")
    assert "4 photos are still to be embedded: nitari reembed --name new" in run(home, "collection", "status", "new")


def test_long_lists_are_cut_for_people(home: Path) -> None:
    """JSON has all."""
    links = [f"{n}.txt" for n in range(30)]
    with opened(home) as catalog:
        catalog.register_collection(text_extractor(embedder=TextEmbedder(name="new")).spec)
        catalog.apply([put("many", *(photo(link, link) for link in links), feed_id=None)], collection="card")
        lacks = [Lack("many", link, link, "file-missing", "gone", "bring it back") for link in links]
        catalog.record_lacks(lacks, collection="new")
    said = run(home, "collection", "status", "new")
    assert said.count("[file-missing]") == collections.SHOWN
    assert "and 10 more" in said
    assert len(shown(home, "collection", "status", "new")["lacks"]) == 30


def test_refusals(home: Path) -> None:
    """What is in use is not dropped; unknown names are errors that name them; a model must be given."""
    assert refused(home, "collection", "drop", "card").code == "collection-in-use"
    for words in (
        ("collection", "drop", "none"),
        ("collection", "status", "none"),
        ("alias", "set", "default", "none"),
        ("alias", "back", "none"),
        ("alias", "back"),
    ):
        assert isinstance(refused(home, *words), NotFoundError)
    assert isinstance(refused(home, "reembed"), UsageError)
    assert isinstance(refused(home, "reembed", "--name", "new", "--views", "both"), UsageError)


def test_the_index_goes_with_the_collection(home: Path) -> None:
    """Its folder is deleted; others stay."""
    run(home, "reembed", "new")
    for name in ("new", "card"):
        (home / "index" / name).mkdir(parents=True)
        (home / "index" / name / "file").write_text("x")
    run(home, "collection", "drop", "new")
    assert [path.name for path in (home / "index").iterdir()] == ["card"]
