"""Snapshots as a whole: saved while others write, killed, raced for, restored to any point."""

from __future__ import annotations

import shutil
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nitari.catalog.base import ItemDelete
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import NotFoundError, StateError, UsageError
from nitari.images.cache import OriginalsCache
from nitari.snapshots.contents import Photos
from nitari.snapshots.manifest import Manifest
from nitari.snapshots.prune import Retention
from nitari.snapshots.repository import Repository
from nitari.snapshots.snapshots import original_path
from nitari.snapshots.storage import Storage
from support.snapshots import (
    BreakingStorage,
    BrokenError,
    catalog_file,
    content_at,
    content_of,
    edit_to,
    seq_of,
    snapshots_of,
    upload,
    write_index,
)


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for snapshots."""
    return str(tmp_path / "store") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"


def test_save_and_restore(tmp_path: Path, url: str) -> None:
    """All that was saved is restored: catalog, index, photos, cards, judgments, settings."""
    home = edit_to(tmp_path / "home", 25)
    digest = upload(home, "shoe", b"photo")
    write_index(home, "s1")
    (home / "nitari.toml").write_text("[server]\n")
    (home / "judgments").mkdir()
    (home / "judgments" / "one").write_text("1")
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "mine.toml").write_text("x")
    snapshots = snapshots_of(home, url, cards=tmp_path / "cards")
    saved = snapshots.save()
    assert (saved.snapshot.number, saved.snapshot.parent, saved.lost) == (1, None, ())
    assert set(saved.snapshot.parts) == {"cards", "catalog.sqlite", "index", "judgments", "nitari.toml", "originals"}
    restored = snapshots.restore(tmp_path / "new")
    assert restored.index
    assert content_of(tmp_path / "new") == content_of(home)
    assert restored.catalog == catalog_file(home).facts(home / "catalog.sqlite")
    assert OriginalsCache(tmp_path / "new" / "originals").get(digest) == b"photo"
    for path in ("nitari.toml", "judgments/one", "index/card/segments/s1/rows.npy", "index/card/manifest.json"):
        assert (tmp_path / "new" / path).read_bytes() == (home / path).read_bytes()
    assert (tmp_path / "new" / "cards" / "mine.toml").read_text() == "x"
    assert snapshots.verify().problems == ()


def test_only_what_is_new_travels(tmp_path: Path, url: str) -> None:
    """A second save sends nothing, a third what changed."""
    home = edit_to(tmp_path / "home", 40)
    upload(home, "shoe", b"photo" * 1000)
    snapshots = snapshots_of(home, url)
    first = snapshots.save()
    assert first.sent_bytes == first.snapshot.sent > 0
    second = snapshots.save()
    assert (second.sent_chunks, second.sent_bytes, second.snapshot.parent) == (0, 0, 1)
    digest = upload(home, "hat", b"another")
    third = snapshots.save()
    assert 0 < third.sent_chunks <= 5
    assert third.snapshot.bytes > second.snapshot.bytes
    assert [s.number for s in snapshots.published() if isinstance(s, Manifest)] == [1, 2, 3]
    assert (snapshots.restore(tmp_path / "new").home / original_path(digest)).read_bytes() == b"another"


def test_killed_anywhere_nothing_is_published(tmp_path: Path) -> None:
    """A save that dies at any write publishes nothing, and the next one goes on from what was sent."""
    home = edit_to(tmp_path / "home", 20)
    write_index(home, "s1")
    url = str(tmp_path / "store")
    writes = 0
    while True:
        try:
            snapshots_of(home, BreakingStorage(url, after=writes)).save()
        except BrokenError:
            assert snapshots_of(home, url).published() == []
            writes += 1
            continue
        break
    assert writes >= 4  # the lease, chunks, the list, the manifest
    assert snapshots_of(home, url).verify().problems == ()
    assert snapshots_of(home, url).published()[0].number == 1
    assert [path.name for path in home.glob(".snapshot-*")] == []


class RacedStorage(Storage):
    """A storage in which somebody else publishes just before each of the first ``times`` publications."""

    def __init__(self, url: str, home: Path, times: int) -> None:
        good = Storage.open(url)
        super().__init__(good._files, good._root, url)
        self._rival = snapshots_of(home, url)
        self._times = times

    def create(self, name: str, data: bytes) -> bool:
        """Let the rival go first."""
        if self._times and name.startswith("manifests/"):
            self._times -= 1
            self._rival.save()
        return super().create(name, data)


def test_two_publishers(tmp_path: Path, url: str) -> None:
    """Of two that publish, one wins; the other says so, and begins anew where it may."""
    home = edit_to(tmp_path / "home", 20)
    with pytest.raises(StateError, match="another process published snapshot 1") as error:
        snapshots_of(home, RacedStorage(url, home, 1)).save()
    assert error.value.code == "snapshot-race"
    assert "--retry" in error.value.remedy
    saved = snapshots_of(home, RacedStorage(url, home, 2)).save(retries=2)
    assert (saved.snapshot.number, saved.sent_chunks) == (4, 0)
    with pytest.raises(StateError):
        snapshots_of(home, RacedStorage(url, home, 2)).save(retries=1)
    assert len(snapshots_of(home, url).published()) == 6
    assert snapshots_of(home, url).verify().problems == ()


def test_another_catalog_is_refused(tmp_path: Path, url: str) -> None:
    """One catalog's snapshots do not mix with another's unless that is meant."""
    snapshots_of(edit_to(tmp_path / "one", 5), url).save()
    two = snapshots_of(edit_to(tmp_path / "two", 5), url)
    with pytest.raises(UsageError, match="another catalog") as error:
        two.save()
    assert "--take-over" in error.value.remedy
    assert two.save(take_over=True).snapshot.number == 2
    assert two.save().snapshot.number == 3


def test_to_any_change(tmp_path: Path, url: str) -> None:
    """Every change up to the newest snapshot can be had, from the oldest snapshot that holds it."""
    home = tmp_path / "home"
    for seq in (10, 20, 30):
        snapshots_of(edit_to(home, seq), url).save()
    edit_to(home, 40)
    snapshots = snapshots_of(home, url)
    write_index(home, "s1")
    for at, number in ((0, 1), (10, 1), (11, 2), (30, 3)):
        restored = snapshots.restore(tmp_path / f"at{at}", at=at)
        assert restored.snapshot.number == number
        assert not restored.index
        assert content_of(restored.home) == content_at(tmp_path / f"expected{at}", at)
        assert restored.catalog.identity != restored.snapshot.catalog.identity
    with pytest.raises(NotFoundError, match=r"reaches change 31; they reach from change 0 to change 30") as error:
        snapshots.restore(tmp_path / "late", at=31)
    assert error.value.code == "snapshot-reach"
    assert not (tmp_path / "late").exists()


def test_to_any_time(tmp_path: Path, url: str) -> None:
    """A time stands for the changes until then."""
    home = edit_to(tmp_path / "home", 10)
    middle = datetime.now(UTC)
    edit_to(home, 20)
    snapshots = snapshots_of(home, url)
    snapshots.save()
    restored = snapshots.restore(tmp_path / "then", at=middle)
    assert content_of(restored.home) == content_at(tmp_path / "expected", 10)
    with pytest.raises(NotFoundError, match="they reach from change 0"):
        snapshots.restore(tmp_path / "late", at=datetime.now(UTC) + timedelta(days=1))


def test_a_future_that_was_given_up_is_not_restored(tmp_path: Path, url: str) -> None:
    """A home that went back and on does not take snapshots of its former future for its past."""
    home = edit_to(tmp_path / "home", 10)
    snapshots_of(home, url).save()
    snapshots_of(edit_to(home, 30), url).save()
    back = snapshots_of(home, url).restore(tmp_path / "back", number=1).home
    upload(back, "only here", b"photo")
    snapshots_of(back, url).save(take_over=True)
    with pytest.raises(NotFoundError):
        snapshots_of(back, url).restore(tmp_path / "x", at=20)
    assert seq_of(snapshots_of(back, url).restore(tmp_path / "y", at=11).home) == 11


def test_identities(tmp_path: Path, url: str) -> None:
    """A home of the newest snapshot is the same catalog, with its index; older ones and copies are their own."""
    home = edit_to(tmp_path / "home", 10)
    write_index(home, "s1")
    snapshots = snapshots_of(home, url)
    snapshots.save()
    snapshots.save()
    same = snapshots.restore(tmp_path / "same", number=2)
    assert same.index
    assert same.catalog == same.snapshot.catalog
    for name, options in {"older": {"number": 1}, "copy": {"as_copy": True}}.items():
        other = snapshots.restore(tmp_path / name, **options)  # type: ignore[arg-type]
        assert not other.index
        assert other.catalog.identity != same.catalog.identity
        assert content_of(other.home) == content_of(home)


def test_nothing_to_restore(tmp_path: Path, url: str) -> None:
    """An empty store, an unknown number and a target in use are told apart."""
    snapshots = snapshots_of(edit_to(tmp_path / "home", 5), url)
    with pytest.raises(NotFoundError, match="holds no snapshots"):
        snapshots.restore(tmp_path / "new")
    snapshots.save()
    with pytest.raises(NotFoundError, match="no snapshot 7"):
        snapshots.restore(tmp_path / "new", number=7)
    with pytest.raises(UsageError, match="not empty"):
        snapshots.restore(tmp_path / "home")


def test_damage_is_never_restored(tmp_path: Path) -> None:
    """Neither a damaged newest snapshot nor a damaged chunk becomes a home; an older one can be asked for."""
    home, store = edit_to(tmp_path / "home", 5), tmp_path / "store"
    snapshots = snapshots_of(home, str(store))
    snapshots.save()
    edit_to(home, 12)
    snapshots.save()
    (store / "manifests" / "00000002.json").write_text("{")
    with pytest.raises(StateError, match="snapshot 2 is damaged"):
        snapshots.restore(tmp_path / "new")
    assert seq_of(snapshots.restore(tmp_path / "older", number=1).home) == 5
    repository = Repository(Storage.open(str(store)))
    for file in repository.files(repository.snapshot(1)):
        (store / file.chunks[0].name).write_bytes(b"zzz")
    with pytest.raises(StateError) as error:
        snapshots.restore(tmp_path / "new", number=1)
    assert error.value.code == "chunk-damaged"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "older", "store"]
    assert snapshots.save(full=True).snapshot.number == 3
    assert seq_of(snapshots.restore(tmp_path / "mended").home) == 12


def test_a_newer_catalog_is_refused(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot whose tables this program does not know is refused before anything travels."""
    snapshots = snapshots_of(edit_to(tmp_path / "home", 5), url)
    snapshots.save()
    monkeypatch.setattr(snapshots._catalog, "schema", 1)
    with pytest.raises(StateError) as error:
        snapshots.restore(tmp_path / "new")
    assert error.value.code == "snapshot-newer"


def test_a_lost_upload(tmp_path: Path, url: str) -> None:
    """An upload that the home lost is taken from the snapshot before; one that no snapshot has is listed."""
    home = edit_to(tmp_path / "home", 5)
    digest = upload(home, "shoe", b"photo")
    snapshots = snapshots_of(home, url)
    snapshots.save()
    shutil.rmtree(home / "originals")
    rescued = snapshots.save()
    assert (rescued.lost, rescued.snapshot.missing) == ((), ())
    assert (snapshots.restore(tmp_path / "new").home / original_path(digest)).read_bytes() == b"photo"
    never = upload(home, "hat", b"another")
    shutil.rmtree(home / "originals")
    lost = snapshots.save(photos=Photos.ALL)
    assert (lost.lost, lost.snapshot.missing) == ((original_path(never),), (never,))


def test_uploads_of_the_past(tmp_path: Path, url: str) -> None:
    """A photo whose item is gone is there again where the catalog is taken back to when it was not."""
    home = edit_to(tmp_path / "home", 3)
    digest = upload(home, "shoe", b"photo")
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        catalog.apply([ItemDelete("shoe")], collection="card")
    snapshots = snapshots_of(home, url)
    assert snapshots.save().snapshot.missing == ()
    back = snapshots.restore(tmp_path / "back", at=4).home
    with SqlCatalog.open(back / FILE_NAME) as catalog:
        assert catalog.get("shoe") is not None
    assert OriginalsCache(back / "originals").get(digest) == b"photo"


def test_prune(tmp_path: Path, url: str) -> None:
    """Retention goes by what is published now."""
    snapshots = snapshots_of(edit_to(tmp_path / "home", 5), url)
    for _ in range(3):
        snapshots.save()
    assert snapshots.prune(Retention(1, days=1)).snapshots == ()
    assert snapshots.prune(Retention(1)).snapshots == (1, 2)
    assert snapshots.save().snapshot.number == 4
    assert snapshots.url
