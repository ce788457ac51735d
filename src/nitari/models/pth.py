"""Reading PyTorch's ``.pth`` state dictionaries without torch, and without trusting them.

A ``.pth`` file is a pickle, and a pickle is a program. Here nothing of it runs: the opcodes are checked against a list
before anything is built, and the only names it may use are those below, each bound to a stand-in of ours. Both layouts
are read: the older stream of pickles followed by raw storages (PyTorch up to 1.5), and the zip archive since 1.6.
"""

from __future__ import annotations

import io
import math
import pickle  # opcodes and names are restricted below
import pickletools
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.errors import ModelError

StateDict: TypeAlias = dict[str, NDArray[Any]]

# The first pickle of the older layout.
_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001
_MAX_OPCODES = 2_000_000
_MAX_MEMO = 1_000_000
_MAX_PICKLE_BYTES = 64 * 2**20

_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}

# What a state dictionary needs. No names from the stack, no INST, OBJ, NEWOBJ, EXT: those build other things.
_ALLOWED = frozenset(
    [
        *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "MEMOIZE"),
        *("BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
        *("EMPTY_DICT", "SETITEM", "SETITEMS", "GLOBAL", "REDUCE", "BUILD", "BINPERSID"),
    ]
)
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes if opcode.name in _ALLOWED}


class _Sealed:
    """Base of the stand-ins: a pickle's BUILD, which sets attributes, finds nothing to set."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError(f"it sets the state of a {type(self).__name__.strip('_').lower()}")


class _Dict(dict[Any, Any]):
    """Stand-in for ``OrderedDict``; the attribute ``_metadata`` that PyTorch hangs on it is dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


class _Storage(_Sealed):
    """Raw numbers, filled in once they are read."""

    __slots__ = ("count", "data", "dtype", "key")

    def __init__(self, key: str, dtype: str, count: int, data: NDArray[Any] | None = None) -> None:
        self.key = key
        self.dtype = dtype
        self.count = count
        self.data = data


class _Tensor(_Sealed):
    """A view of a storage; offset and strides count elements."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage = storage
        self.offset = offset
        self.shape = shape
        self.strides = strides

    def array(self) -> NDArray[Any]:
        """The numbers, copied out of the storage; a view that would leave it is an error."""
        data = self.storage.data
        if data is None:
            raise ValueError(f"storage {self.storage.key} has no data")
        elements = math.prod(self.shape)
        reach = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True)) + 1 if elements else 0
        # A stride of 0 repeats numbers: a view may not be larger than what the file holds.
        if elements > data.size or self.offset + reach > data.size:
            raise ValueError(f"a tensor of shape {self.shape} reaches beyond its storage of {data.size} numbers")
        steps = tuple(step * data.itemsize for step in self.strides)
        # as_strided does not look at bounds; they were checked above.
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps, writeable=False).copy()


class _RebuildTensor(_Sealed):
    """Stand-in for ``torch._utils._rebuild_tensor_v2``."""

    __slots__ = ()

    def __call__(self, storage: object, offset: object, size: object, stride: object, *_unused: object) -> _Tensor:
        if isinstance(storage, _Storage) and type(offset) is int and offset >= 0:
            shape, strides = _counts(size), _counts(stride)
            if len(shape) == len(strides):
                return _Tensor(storage, offset, shape, strides)
        raise ValueError(f"a tensor with offset {offset!r}, size {size!r}, stride {stride!r}")


class _RebuildParameter(_Sealed):
    """Stand-in for ``torch._utils._rebuild_parameter``."""

    __slots__ = ()

    def __call__(self, tensor: object, *_unused: object) -> _Tensor:
        if not isinstance(tensor, _Tensor):
            raise TypeError("a parameter that is no tensor")
        return tensor


def _counts(value: object) -> tuple[int, ...]:
    """A tuple of counts, if that is what it is."""
    if not isinstance(value, tuple) or not all(type(n) is int and n >= 0 for n in value):
        raise ValueError(f"a tensor with {value!r} where counts should be")
    return value


_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Dict,
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    # A storage's type is its numpy dtype, as text: it cannot be called and has nothing to set.
    **{("torch", name): dtype for name, dtype in _DTYPES.items()},
}


_StorageOf: TypeAlias = Callable[[str, str, int], _Storage]
"""Makes or finds the storage of a dtype, key and count."""


def _named(module: str, name: str) -> Any:
    """The stand-in for a name."""
    if (module, name) not in _NAMES:
        raise pickle.UnpicklingError(f"it wants {module}.{name}, which no state dictionary needs")
    return _NAMES[module, name]


class _Unpickler(pickle.Unpickler):
    """Builds only what is in ``_NAMES``."""

    def __init__(self, file: io.BytesIO, storage: _StorageOf) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; anything else is refused."""
        return _named(module, name)

    def persistent_load(self, pid: object) -> _Storage:
        """The storage that ``("storage", type, key, device, count, ...)`` names."""
        match pid:
            case ("storage", str() as dtype, str() as key, str(), int() as count, *_) if (
                count >= 0 and dtype in _DTYPES.values()
            ):
                return self._storage(dtype, key, count)
        raise pickle.UnpicklingError(f"it refers to {pid!r}, expected a storage")


def read_state_dict(path: Path) -> StateDict:
    """Tensors by name, as numpy arrays (little-endian on disk, as every PyTorch writes on today's machines).

    Raises:
        ModelError: a file that is not a state dictionary of plain tensors, or that wants anything else built.
    """
    try:
        tensors = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        return {name: tensor.array() for name, tensor in _tensors(tensors).items()}
    except OSError as exc:
        raise ModelError(f"weights {path} cannot be read: {exc}") from exc
    except (
        pickle.UnpicklingError, zipfile.BadZipFile, ValueError, TypeError, KeyError, IndexError, AttributeError,
        EOFError, MemoryError, OverflowError, RecursionError, NotImplementedError, RuntimeError,
    ) as exc:  # fmt: skip
        raise ModelError(
            f"weights {path} are refused: {exc}",
            remedy="give a .pth file that holds a plain state dictionary (tensors by name)",
        ) from exc


def _tensors(loaded: object) -> Mapping[str, _Tensor]:
    """What was built, if it is a dictionary of tensors."""
    if not isinstance(loaded, dict):
        raise TypeError(f"it holds a {type(loaded).__name__}, expected a dictionary of tensors")
    for name, value in dict.items(loaded):
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise TypeError(f"it holds {name!r}: {type(value).__name__}, expected a tensor")
    return loaded


def _load(stream: io.BytesIO, storage: _StorageOf) -> object:
    """One pickle from ``stream``: first its opcodes are checked, then it is built; ends after its STOP."""
    start = stream.tell()
    for _ in range(_MAX_OPCODES):
        code = stream.read(1).decode("latin-1")
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise pickle.UnpicklingError(f"opcode {code!r} has no place in a state dictionary")
        if opcode.name == "GLOBAL":
            _named(stream.readline().decode().removesuffix("\n"), stream.readline().decode().removesuffix("\n"))
        elif opcode.arg is not None:
            argument: Any = opcode.arg.reader(stream)
            if opcode.name == "LONG_BINPUT" and argument > _MAX_MEMO:
                raise pickle.UnpicklingError(f"memo index {argument} is absurd")
        if opcode.name == "STOP":
            break
    else:
        raise pickle.UnpicklingError("it goes on and on")
    end = stream.tell()
    stream.seek(start)
    loaded: object = _Unpickler(io.BytesIO(stream.read(end - start)), storage).load()
    stream.seek(end)
    return loaded


def _no_storage(_dtype: str, key: str, _count: int) -> _Storage:
    raise pickle.UnpicklingError(f"a storage {key!r} in the header")


def _read_legacy(path: Path) -> object:
    """Magic, protocol, system information, the dictionary, the storages' keys; then each storage: count, numbers."""
    stream = io.BytesIO(path.read_bytes())
    if _load(stream, _no_storage) != _MAGIC or _load(stream, _no_storage) != _LEGACY_PROTOCOL:
        raise pickle.UnpicklingError("it does not begin as a .pth file does")
    system = _load(stream, _no_storage)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise pickle.UnpicklingError("it was not written on a little-endian machine")
    storages: dict[str, _Storage] = {}

    def storage(dtype: str, key: str, count: int) -> _Storage:
        return storages.setdefault(key, _Storage(key, dtype, count))

    loaded = _load(stream, storage)
    keys = _load(stream, _no_storage)
    if not isinstance(keys, list):
        raise pickle.UnpicklingError("it has no list of storages")
    for key in keys:
        found = storages[key]
        count = int.from_bytes(stream.read(8), "little")
        size = found.count * np.dtype(found.dtype).itemsize
        data = stream.read(size) if count == found.count else b""
        if len(data) != size:
            raise EOFError(f"storage {key} has not the {found.count} numbers it should have (a truncated file?)")
        found.data = np.frombuffer(data, dtype=found.dtype)
    return loaded


def _read_zip(path: Path) -> object:
    """``NAME/data.pkl``, and each storage as the stored member ``NAME/data/KEY``."""
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise pickle.UnpicklingError("it is a zip archive without one data.pkl (not a .pth file)")
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise pickle.UnpicklingError("it has compressed members, which PyTorch never writes")
        root = pickles[0].split("/")[0]
        if archive.getinfo(pickles[0]).file_size > _MAX_PICKLE_BYTES:
            raise pickle.UnpicklingError("its data.pkl is absurdly large")
        if f"{root}/byteorder" in archive.namelist() and archive.read(f"{root}/byteorder")[:6] != b"little":
            raise pickle.UnpicklingError("it was not written on a little-endian machine")
        storages: dict[str, _Storage] = {}

        def storage(dtype: str, key: str, count: int) -> _Storage:
            if key not in storages:
                member = archive.getinfo(f"{root}/data/{key}")
                size = count * np.dtype(dtype).itemsize
                if member.file_size != size:
                    raise ValueError(f"storage {key} has {member.file_size} bytes, expected {size}")
                data = np.frombuffer(archive.read(member), dtype=dtype)
                storages[key] = _Storage(key, dtype, count, data)
            return storages[key]

        return _load(io.BytesIO(archive.read(pickles[0])), storage)
