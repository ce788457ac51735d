"""Files of arrays: what was written is read, and what is not such a file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.search.arrays import ArrayFile, ArrayWriter


def _written(path: Path) -> ArrayFile:
    with ArrayWriter(path, "ARRAYS-T", 3) as writer:
        writer.put("whole", np.arange(6, dtype=np.float64).reshape(2, 3))
        writer.put_parts("parts", np.int32, (np.arange(n) for n in (2, 0, 3)))
        writer.put("none", np.empty(0, np.int64))
        writer.put("turned", np.arange(6, dtype=np.int64).reshape(2, 3).T)
        writer.note("said", {"so": [1, "ä"]})
    return ArrayFile(path, "ARRAYS-T", 3)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    """Whole, in parts, empty, and of any layout; they begin at multiples of 64 bytes and cannot be written to."""
    file = _written(tmp_path / "file")
    assert file.get("whole", np.float64, 2, 3).tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert file.get("parts", np.int32).tolist() == [0, 1, 0, 1, 2]
    assert file.get("none", np.int64, 0).tolist() == []
    assert file.get("turned", np.int64, 3, 2).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert file.values["said"] == {"so": [1, "ä"]}
    assert ("whole" in file, "missing" in file) == (True, False)
    for name, dtype, shape in (("whole", np.float64, (2, 3)), ("parts", np.int32, (5,))):
        array = file.get(name, dtype, *shape)
        assert array.ctypes.data % 64 == 0
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "message"),
    [
        ("missing", np.int32, (), "no array 'missing'"),
        ("parts", np.int64, (), "'parts' is int32 \\[5\\], expected int64"),
        ("parts", np.int32, (4,), "expected int32 \\[4\\]"),
        ("whole", np.float64, (), "'whole' is float64 \\[2, 3\\]"),
    ],
)
def test_arrays_that_are_not_there(
    tmp_path: Path, name: str, dtype: type[np.generic], shape: tuple[int, ...], message: str
) -> None:
    """An array that is missing, or of another type or shape than expected, is named."""
    file = _written(tmp_path / "file")
    with pytest.raises(StateError, match=message):
        file.get(name, dtype, *shape)


def test_any_changed_byte_of_head_and_directory_is_seen(tmp_path: Path) -> None:
    """A flipped bit anywhere but in an array is noticed when the file is opened."""
    path = tmp_path / "file"
    _written(path)
    whole = path.read_bytes()
    directory = whole.index(b'{"arrays"')
    for at in (*range(64), *range(directory, len(whole))):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StateError):
            ArrayFile(path, "ARRAYS-T", 3)


def test_what_was_not_finished_is_no_file(tmp_path: Path) -> None:
    """Where writing fails, what is left is refused; a file that is there is not written over."""
    path = tmp_path / "file"
    with pytest.raises(ZeroDivisionError), ArrayWriter(path, "ARRAYS-T", 3) as writer:
        writer.put("whole", np.arange(1 // 0))
    with pytest.raises(StateError, match="damaged"):
        ArrayFile(path, "ARRAYS-T", 3)
    with pytest.raises(FileExistsError):
        ArrayWriter(path, "ARRAYS-T", 3)
