"""Many arrays in one file that says what it is: written front to back, opened by memory map whatever its size.

``head | arrays, each at a multiple of 64 bytes | directory``. The head has a magic, the format's version, and where the
directory is and its SHA-256; the directory is canonical JSON: dtype, shape and place of each array, and values. So
whether a file is the right one, and whole, is known without a look at the arrays, whose own checksums are the affair of
whoever keeps the file.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nitari.errors import StateError

_ALIGNED = 64
_HEAD = struct.Struct("<8sIIQQ32s")  # magic, version, 0, place and length of the directory, its SHA-256: 64 bytes
_REMEDY = "nothing is lost: delete the folder and it is rebuilt from the catalog"


class ArrayWriter:
    """Writes such a file; where an exception comes out of ``with``, the file stays without a head, and is no such file.

    Args:
        path: Where; there must not be a file.
        magic: 8 ASCII characters.
        version: Of the format.
    """

    def __init__(self, path: Path, magic: str, version: int) -> None:
        self._magic, self._version = magic.encode("ascii"), version
        self._arrays: dict[str, dict[str, Any]] = {}
        self._values: dict[str, Any] = {}
        self._file: BinaryIO = path.open("xb")
        self._file.write(bytes(_HEAD.size))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                self._finish()

    def note(self, name: str, value: object) -> None:
        """Keep a JSON value beside the arrays."""
        self._values[name] = value

    def put(self, name: str, array: NDArray[Any]) -> None:
        """Write an array of numbers or booleans, of any shape."""
        self.put_parts(name, array.dtype, (array,), shape=array.shape)

    def put_parts(
        self, name: str, dtype: DTypeLike, parts: Iterable[NDArray[Any]], *, shape: tuple[int, ...] | None = None
    ) -> None:
        """Write an array that comes in parts, one behind the other; one-dimensional where no ``shape`` is given."""
        kept = np.dtype(dtype).newbyteorder("<")
        place = self._file.tell()
        place += self._file.write(bytes(-place % _ALIGNED))
        size = 0
        for part in parts:
            size += self._file.write(np.ascontiguousarray(part, kept).reshape(-1).view(np.uint8).data)
        whole = (size // kept.itemsize,) if shape is None else shape
        self._arrays[name] = {"dtype": kept.str, "shape": list(whole), "place": place}

    def _finish(self) -> None:
        """Write the directory, and then the head, which makes the file one."""
        directory = json.dumps({"arrays": self._arrays, "values": self._values}, sort_keys=True).encode()
        place = self._file.tell()
        self._file.write(directory)
        self._file.seek(0)
        digest = hashlib.sha256(directory).digest()
        self._file.write(_HEAD.pack(self._magic, self._version, 0, place, len(directory), digest))


class ArrayFile:
    """An opened file of arrays; the map lives as long as an array of it does.

    Args:
        path: Where.
        magic: As it was written.
        version: The one that is understood.

    Raises:
        StateError: where there is no such file, or it is damaged, cut off or of another version.
    """

    def __init__(self, path: Path, magic: str, version: int) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as exc:  # an empty file cannot be mapped
            raise self.damaged(str(exc)) from exc
        if len(self._map) < _HEAD.size:
            raise self.damaged(f"it has {len(self._map)} bytes")
        found, number, zero, place, length, digest = _HEAD.unpack_from(self._map)
        if found != magic.encode("ascii"):
            raise self.damaged(f"it begins with {found!r}, expected {magic!r}")
        if number != version:
            raise StateError(f"{path} is of version {number}, expected {version}", remedy=_REMEDY, code="index-version")
        if zero:
            raise self.damaged("its head is not that of any version")
        directory = self._map[place : place + length]
        if len(directory) != length or hashlib.sha256(directory).digest() != digest:
            raise self.damaged("its directory's checksum does not fit")
        parsed = json.loads(directory)
        self._arrays: dict[str, dict[str, Any]] = parsed["arrays"]
        self.values: Mapping[str, Any] = parsed["values"]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def get(self, name: str, dtype: DTypeLike, *shape: int) -> NDArray[Any]:
        """An array, read-only, of the file itself.

        Args:
            name: Its name.
            dtype: Of what type it must be.
            shape: Of what shape it must be; any one-dimensional one where this is not given.

        Raises:
            StateError: where it is not there, or of another type or shape.
        """
        entry = self._arrays.get(name)
        if entry is None:
            raise self.damaged(f"it has no array {name!r}")
        kept, found = np.dtype(entry["dtype"]), tuple(entry["shape"])
        if kept != np.dtype(dtype).newbyteorder("<") or (found != shape if shape else len(found) != 1):
            raise self.damaged(f"its array {name!r} is {kept} {list(found)}, expected {np.dtype(dtype)} {list(shape)}")
        if not all(found):
            return np.empty(found, kept)
        return np.ndarray(found, kept, buffer=self._map, offset=entry["place"])

    def damaged(self, why: str) -> StateError:
        """The error for a file that is not what it should be."""
        return StateError(f"{self._path} is damaged: {why}", remedy=_REMEDY, code="index-damaged")
