"""Leases: who keeps whom out, for how long, and who must stop."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from nitari.errors import StateError
from nitari.snapshots.leases import FOLDER, LEASE_S, Purpose, hold, over
from nitari.snapshots.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty folder."""
    return Storage.open(str(tmp_path))


def age(tmp_path: Path, seconds: float) -> None:
    """Make all leases older."""
    for path in (tmp_path / FOLDER).iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def test_saves_do_not_hinder_each_other(storage: Storage) -> None:
    """Any number may save at once, and a lease goes away when it ends, whatever happens."""
    with hold(storage, Purpose.SAVE), hold(storage, Purpose.SAVE):
        assert len(storage.entries(FOLDER)) == 2
    with pytest.raises(KeyError), hold(storage, Purpose.PRUNE):
        raise KeyError
    assert storage.entries(FOLDER) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [(Purpose.SAVE, Purpose.PRUNE), (Purpose.PRUNE, Purpose.SAVE), (Purpose.PRUNE, Purpose.PRUNE)],
)
def test_a_prune_is_alone(storage: Storage, first: Purpose, second: Purpose) -> None:
    """A prune and anything else exclude each other; the message says who is at work."""
    with hold(storage, first):
        with (
            pytest.raises(StateError, match=rf"a {first.value} is at work \(process {os.getpid()}") as error,
            hold(storage, second),
        ):
            pass
        assert error.value.code == "snapshot-busy"
    with hold(storage, second):
        pass


def test_a_killed_one_is_over_in_the_end(storage: Storage, tmp_path: Path) -> None:
    """A lease that is not renewed counts until it is old, and is cleared away later."""
    storage.write(f"{FOLDER}/save-killed", b"damaged")
    age(tmp_path, LEASE_S - 60)
    with pytest.raises(StateError, match="a save is at work"), hold(storage, Purpose.PRUNE):
        pass
    age(tmp_path, LEASE_S + 60)
    with hold(storage, Purpose.PRUNE) as lease:
        assert over(storage, lease) == []
    age(tmp_path, 2 * LEASE_S + 60)
    with hold(storage, Purpose.PRUNE) as lease:
        assert over(storage, lease) == [f"{FOLDER}/save-killed"]


def test_renewing(storage: Storage, tmp_path: Path) -> None:
    """A lease is renewed when that is due, and no more often."""
    now = [0.0]
    with hold(storage, Purpose.SAVE, clock=lambda: now[0]) as lease:
        age(tmp_path, 500)
        (before,) = storage.entries(FOLDER)
        lease.renew()
        assert storage.entries(FOLDER) == [before]
        now[0] = LEASE_S / 10
        lease.renew()
        (after,) = storage.entries(FOLDER)
        assert after.changed_at is not None
        assert before.changed_at is not None
        assert after.changed_at > before.changed_at + 400


def test_one_that_stood_still_must_stop(storage: Storage) -> None:
    """A holder that could not renew in time is told so before it does harm."""
    now = [0.0]
    with hold(storage, Purpose.SAVE, clock=lambda: now[0]) as lease:
        now[0] = LEASE_S * 0.6
        with pytest.raises(StateError) as error:
            lease.renew()
    assert error.value.code == "snapshot-stalled"


def test_a_store_that_ignores_conditions(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a store writes over what is there, its user is told that races go unnoticed."""
    with hold(storage, Purpose.SAVE):
        assert caplog.text == ""

    def overwrite(name: str, data: bytes) -> bool:
        storage.write(name, data)
        return True

    monkeypatch.setattr(storage, "create", overwrite)
    with hold(storage, Purpose.SAVE):
        assert "ignores conditions on writes" in caplog.text
