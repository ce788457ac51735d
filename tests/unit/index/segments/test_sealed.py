"""Sealed segments give back what was written, in the order that their engine wants, and let no damage in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index.calibrate import LEVELS, Effort, Measured
from nitari.index.kernels import Lookup
from nitari.index.segments.engine import BitArray, Built, HalfArray, Near, Searcher, SlotArray
from nitari.index.segments.sealed import Part, SealedSegment, check_segment, write_segment
from nitari.types import FloatArray

DIM = 16
GAPS = ((1, (0.3,) * len(LEVELS)), (10, (0.25,) * len(LEVELS)))


class Reversing:
    """An engine that wants rows the other way round, and finds nothing."""

    name = "reversing"

    def build(self, rows: HalfArray, folder: Path, *, threads: int = 1, seed: int = 0) -> Built:
        """A file with the first row in it."""
        np.save(folder / "reversing.npy", rows[0])
        return Built(np.arange(len(rows))[::-1].copy(), {"threads": threads})

    def open(self, folder: Path, rows: HalfArray, parameters: Mapping[str, Any]) -> Searcher:
        """A searcher over rows that were turned round."""
        if not np.array_equal(np.load(folder / "reversing.npy"), rows[-1]):
            raise StateError("not what was built")
        assert parameters == {"threads": 3}
        return Nothing()


class Nothing:
    """Finds nothing."""

    lists = 1
    looks_up = False
    closed = False

    def nearest(
        self,
        vector: FloatArray,
        k: int,
        *,
        probes: int,
        candidates: int,
        bits: BitArray | None = None,
        lookup: Lookup | None = None,
        before: Near | None = None,
        gap: float | None = None,
    ) -> Near:
        """Nothing."""
        raise NotImplementedError

    def list_cosines(self, vector: FloatArray, slots: SlotArray) -> None:
        """It has no lists."""

    def only(self, slots: SlotArray) -> None:
        """It has to be built."""

    def even(self, slots: SlotArray) -> bool:
        """It does not know."""
        return False

    def cost_ns(self, *, probes: int, candidates: int, share: float = 1.0, together: bool = False) -> float:
        """Costs nothing."""
        return 0.0

    def close(self) -> None:
        """Done."""
        self.closed = True


def _parts(keys: list[int]) -> list[Part]:
    """Rows of these keys, in batches of three."""
    rows = np.random.default_rng(1).standard_normal((len(keys), DIM)).astype(np.float16)
    return [(np.asarray(keys[at : at + 3], np.int64), rows[at : at + 3]) for at in range(0, len(keys), 3)]


def _open(folder: Path, engine: Reversing | None = None, dim: int = DIM) -> SealedSegment:
    return SealedSegment.open(folder, dim=dim, engines={engine.name: engine} if engine else {})  # type: ignore[dict-item]


@pytest.mark.parametrize("keys", [[1, 2, 5, 8], [8, 2**60, 1, 5, -3, 7, 2]])
def test_gives_back_what_was_written(tmp_path: Path, keys: list[int]) -> None:
    """Keys and rows by slot, in the order in which they came; a key is found wherever it is."""
    parts = _parts(keys)
    assert write_segment(tmp_path, parts, dim=DIM) == len(keys)
    segment = _open(tmp_path)
    assert (segment.name, segment.count, segment.dim, segment.engine) == (tmp_path.name, len(keys), DIM, "")
    assert segment.keys.tolist() == keys
    assert np.array_equal(segment.rows, np.concatenate([rows for _, rows in parts]))
    assert segment.find(np.asarray([*keys, 0, 3, 2**62], np.int64)).tolist() == [*range(len(keys)), -1, -1, -1]
    assert segment.find(np.empty(0, np.int64)).size == 0
    assert segment.searcher is None
    assert segment.efforts == segment.gaps == ()
    segment.close()
    segment.close()


def test_rows_lie_as_the_engine_wants(tmp_path: Path) -> None:
    """An engine's order holds for rows and keys alike; what it measured and built with is given back to it."""
    engine, effort = Reversing(), Effort(10, 1, 20, 0.99)
    parts = _parts([1, 2, 5, 8])
    write_segment(
        tmp_path,
        parts,
        dim=DIM,
        engine=engine,
        threads=3,
        calibrate=lambda searcher, rows: Measured((effort,) * len(rows), GAPS),
    )
    segment = _open(tmp_path, engine)
    assert segment.keys.tolist() == [8, 5, 2, 1]
    assert np.array_equal(segment.rows[::-1], np.concatenate([rows for _, rows in parts]))
    assert segment.find(np.asarray([8, 1, 4])).tolist() == [0, 3, -1]
    assert segment.efforts == (effort,) * 4
    assert segment.gaps == GAPS
    searcher = segment.searcher
    assert isinstance(searcher, Nothing)
    segment.close()
    assert searcher.closed
    scanned = _open(tmp_path)
    assert (scanned.engine, scanned.searcher, scanned.efforts, scanned.gaps) == ("reversing", None, (), ())
    scanned.close()


def test_no_rows_are_no_segment(tmp_path: Path) -> None:
    """Nothing in, nothing out: such a folder cannot be opened."""
    assert write_segment(tmp_path, [], dim=DIM) == 0
    with pytest.raises(StateError):
        _open(tmp_path)


def test_a_key_comes_once(tmp_path: Path) -> None:
    """A key that comes twice is refused: only one of its rows could be found."""
    with pytest.raises(ValueError, match="twice"):
        write_segment(tmp_path, _parts([1, 2, 3, 2]), dim=DIM)


def test_another_width_is_refused(tmp_path: Path) -> None:
    """A segment of another width is not one of this index."""
    write_segment(tmp_path, _parts([1]), dim=DIM)
    with pytest.raises(StateError, match=f"width {DIM}, expected 8"):
        _open(tmp_path, dim=8)


def test_any_changed_bit_is_seen_at_once(tmp_path: Path) -> None:
    """In files of less than a block, opening sees every changed bit, every missing byte and every missing file."""
    engine = Reversing()
    write_segment(tmp_path, _parts([4, 3, 2]), dim=DIM, engine=engine, threads=3)
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for at in range(0, len(whole), 13):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            with pytest.raises(StateError):
                _open(tmp_path, engine)
        path.write_bytes(whole[:-1])
        if whole:
            with pytest.raises(StateError):
                _open(tmp_path, engine)
        path.unlink()
        with pytest.raises(StateError):
            _open(tmp_path, engine)
        path.write_bytes(whole)
    _open(tmp_path, engine).close()


def test_far_blocks_are_left_to_the_scrub(tmp_path: Path) -> None:
    """Opening does not read what lies behind the heads of files; checking does."""
    count = 70_000
    rows = np.ones((count, DIM), np.float16)
    write_segment(tmp_path, [(np.arange(count, dtype=np.int64), rows)], dim=DIM)
    assert sum(check_segment(tmp_path)) == sum(
        path.stat().st_size for path in tmp_path.iterdir() if path.suffix == ".npy"
    )
    with (tmp_path / "rows.npy").open("r+b") as file:
        file.seek(2**20 + 5)
        file.write(b"x")
    _open(tmp_path).close()
    with pytest.raises(StateError, match="at 1048576"):
        list(check_segment(tmp_path))
