"""Writing ``.pth`` files without torch, opcode by opcode, so that tests can also write what torch never would."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
STOP = b"."
Arrays = Mapping[str, NDArray[Any]]


def text(value: str) -> bytes:
    """BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """BININT, or LONG1 where that is too small."""
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f"c{module}\n{attribute}\n".encode()


def group(*parts: bytes) -> bytes:
    """A tuple of what the parts push."""
    return b"(" + b"".join(parts) + b"t"


def storage(kind: str, key: str, count: int) -> bytes:
    """The reference to a storage."""
    return group(text("storage"), name("torch", kind), text(key), text("cpu"), number(count)) + b"Q"


def tensor(reference: bytes, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A call of ``_rebuild_tensor_v2``."""
    hooks = name("collections", "OrderedDict") + b")R"
    shapes = group(*map(number, shape)) + group(*map(number, strides))
    arguments = group(reference, number(offset), shapes, b"\x89", hooks)
    return name("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def state(tensors: Mapping[str, bytes]) -> bytes:
    """An OrderedDict of tensors with the ``_metadata`` that torch hangs on it."""
    items = b"".join(text(key) + value for key, value in tensors.items())
    metadata = b"}" + text("_metadata") + b"}s"
    return b"\x80\x02" + name("collections", "OrderedDict") + b")R(" + items + b"u" + metadata + b"b" + STOP


def state_of(arrays: Arrays) -> bytes:
    """The pickle of these arrays, each with a storage of its own, keyed ``"0"``, ``"1"`` and so on."""
    tensors = {}
    for index, (key, array) in enumerate(arrays.items()):
        strides = tuple(step // array.itemsize for step in np.ascontiguousarray(array).strides) if array.ndim else ()
        tensors[key] = tensor(storage(STORAGES[array.dtype.name], str(index), array.size), 0, array.shape, strides)
    return state(tensors)


def legacy(pickled: bytes, storages: Mapping[str, NDArray[Any]], *, little: bool = True) -> bytes:
    """A file of the older layout."""
    header = b"\x80\x02" + number(0x1950A86A20F9469CFC6C) + STOP + b"\x80\x02" + number(1001) + STOP
    system = b"\x80\x02}" + text("little_endian") + (b"\x88" if little else b"\x89") + b"s" + STOP
    keys = b"\x80\x02](" + b"".join(map(text, storages)) + b"e" + STOP
    raw = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())
    return header + system + pickled + keys + raw


def zipped(pickled: bytes, storages: Mapping[str, NDArray[Any]]) -> bytes:
    """A file of the zip layout."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return buffer.getvalue()


def legacy_of(arrays: Arrays) -> bytes:
    """These arrays in the older layout."""
    return legacy(state_of(arrays), _numbered(arrays))


def zipped_of(arrays: Arrays) -> bytes:
    """These arrays in the zip layout."""
    return zipped(state_of(arrays), _numbered(arrays))


def _numbered(arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {str(index): array for index, array in enumerate(arrays.values())}
