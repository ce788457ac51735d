"""Reading .pth files: what torch writes comes out, and what an attacker writes does not run."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from nitari.errors import ModelError
from nitari.models.pth import read_state_dict
from support import pth

LAYOUTS = {"legacy": pth.legacy, "zip": pth.zipped}
LAYOUTS_OF = {"legacy": pth.legacy_of, "zip": pth.zipped_of}
FOUR = {"0": np.arange(4, dtype=np.float32)}

numbers = arrays.arrays(
    dtype=st.sampled_from(sorted(pth.STORAGES)),
    shape=arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
states = st.dictionaries(st.text(max_size=20), numbers, max_size=5)


def read(data: bytes, folder: Path) -> dict[str, NDArray[Any]]:
    """Read ``data`` as a file."""
    path = folder / "weights.pth"
    path.write_bytes(data)
    return read_state_dict(path)


@pytest.mark.parametrize("layout", sorted(LAYOUTS_OF))
@given(state=states)
def test_round_trip(layout: str, state: dict[str, NDArray[Any]]) -> None:
    """Whatever tensors a file holds come out with their names, order, dtypes, shapes and values."""
    with tempfile.TemporaryDirectory() as folder:
        found = read(LAYOUTS_OF[layout](state), Path(folder))
    assert list(found) == list(state)
    for key, array in state.items():
        assert found[key].dtype == array.dtype
        assert found[key].shape == array.shape
        assert found[key].tobytes() == array.tobytes()


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_views_of_one_storage(layout: str, tmp_path: Path) -> None:
    """Tensors that share a storage, with offsets and strides, are the right numbers."""
    data = np.arange(12, dtype=np.float32)
    shared = pth.storage("FloatStorage", "0", 12)
    pickled = pth.state({"t": pth.tensor(shared, 0, (3, 4), (1, 3)), "tail": pth.tensor(shared, 10, (2,), (1,))})
    found = read(LAYOUTS[layout](pickled, {"0": data}), tmp_path)
    assert np.array_equal(found["t"], data.reshape(4, 3).T)
    assert np.array_equal(found["tail"], [10, 11])


def test_parameters_are_tensors(tmp_path: Path) -> None:
    """A state of parameters instead of tensors is read too."""
    inner = pth.tensor(pth.storage("FloatStorage", "0", 4), 0, (4,), (1,))
    hooks = pth.name("collections", "OrderedDict") + b")R"
    parameter = pth.name("torch._utils", "_rebuild_parameter") + pth.group(inner, b"\x88", hooks) + b"R"
    assert np.array_equal(read(pth.legacy(pth.state({"p": parameter}), FOUR), tmp_path)["p"], FOUR["0"])


class Command:
    """Pickles to a call of ``function(*arguments)``, as attacks do."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def attacks(witness: Path) -> dict[str, bytes]:
    """Pickles that would make ``witness`` exist, or reach beyond the file's own numbers, if anything of them ran."""
    shell = f"touch {witness}"
    four = pth.storage("FloatStorage", "0", 4)
    tensor = pth.tensor(four, 0, (4,), (1,))
    rebuild = pth.name("torch._utils", "_rebuild_tensor_v2")
    return {
        "os.system": b"\x80\x02" + pth.name("os", "system") + pth.group(pth.text(shell)) + b"R.",
        "posix.system": b"\x80\x02" + pth.name("posix", "system") + pth.group(pth.text(shell)) + b"R.",
        "protocol 0": pickle.dumps(Command(eval, f"open({str(witness)!r}, 'w')"), protocol=0),
        "protocol 4": pickle.dumps(Command(eval, f"open({str(witness)!r}, 'w')"), protocol=4),
        "INST": b"(" + pth.text(shell) + b"ios\nsystem\n.",
        "OBJ": b"(" + pth.name("collections", "OrderedDict") + b"o.",
        "NEWOBJ": b"\x80\x02" + pth.name("collections", "OrderedDict") + b")\x81.",
        "EXT": b"\x80\x02\x82\x01.",
        "dotted name": b"\x80\x04" + pth.name("torch._utils", "_rebuild_tensor_v2.__globals__") + b".",
        "torch.load": b"\x80\x02" + pth.name("torch", "load") + pth.group(pth.text("x")) + b"R.",
        "state of a function": b"\x80\x02" + rebuild + b"}" + pth.text("__doc__") + pth.text("x") + b"sb.",
        "state of a storage": b"\x80\x02" + four + b"}" + pth.text("data") + pth.text("x") + b"sb.",
        "state of a tensor": b"\x80\x02" + tensor + b"}" + pth.text("offset") + pth.number(9) + b"sb.",
        "state of a type": b"\x80\x02" + pth.name("torch", "FloatStorage") + b"}" + pth.text("dtype") + b"Nsb.",
        "state of OrderedDict": b"\x80\x02" + pth.name("collections", "OrderedDict") + b"}" + pth.text("get") + b"Nsb.",
        "call of a type": b"\x80\x02" + pth.name("torch", "FloatStorage") + b")R.",
        "beyond the end": pth.state({"t": pth.tensor(four, 1, (4,), (1,))}),
        "far beyond": pth.state({"t": pth.tensor(four, 0, (2,), (2**40,))}),
        "before the start": pth.state({"t": pth.tensor(four, -1, (4,), (1,))}),
        "backwards": pth.state({"t": pth.tensor(four, 3, (4,), (-1,))}),
        "zero stride": pth.state({"t": pth.tensor(four, 0, (2**40,), (0,))}),
        "shape and strides differ": pth.state({"t": pth.tensor(four, 0, (4,), (1, 1))}),
        "too large a storage": pth.state({"t": pth.tensor(pth.storage("FloatStorage", "0", 2**50), 0, (4,), (1,))}),
        "negative storage": pth.state({"t": pth.tensor(pth.storage("FloatStorage", "0", -4), 0, (4,), (1,))}),
        "no such storage": pth.state({"t": pth.tensor(pth.storage("FloatStorage", "../x", 4), 0, (4,), (1,))}),
        "storage of text": b"\x80\x02" + pth.group(pth.text("storage"), pth.text("O"), b"NNN") + b"Q.",
        "huge memo": b"\x80\x02}r\xff\xff\xff\x7f.",
        "no dictionary": b"\x80\x02" + pth.number(1) + b".",
        "not only tensors": b"\x80\x02}" + pth.text("a") + pth.number(1) + b"s.",
        "names that are numbers": b"\x80\x02}" + pth.number(1) + tensor + b"s.",
    }


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
@pytest.mark.parametrize("attack", sorted(attacks(Path("x"))))
def test_hostile_pickles_are_refused(attack: str, layout: str, tmp_path: Path) -> None:
    """A pickle that wants anything but tensors is refused with ModelError, and nothing of it runs."""
    witness = tmp_path / "witness"
    with pytest.raises(ModelError, match="refused"):
        read(LAYOUTS[layout](attacks(witness)[attack], FOUR), tmp_path)
    assert not witness.exists()
    # Nothing that was tried changes how the next file is read.
    assert np.array_equal(read(pth.legacy_of({"a": FOUR["0"]}), tmp_path)["a"], FOUR["0"])


@pytest.mark.parametrize("layout", sorted(LAYOUTS_OF))
@given(data=st.data())
def test_damaged_files_are_refused(layout: str, data: st.DataObject) -> None:
    """A file with flipped, lost or added bytes is read or refused; nothing else happens."""
    whole = bytearray(LAYOUTS_OF[layout]({"a": np.arange(3, dtype=np.float32), "b": np.ones((2, 2), np.int64)}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(whole)))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ModelError):
        read(bytes(whole[:end]), Path(folder))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "refused"),
        (b"<html>not found</html>", "refused"),
        (pth.legacy_of({"a": FOUR["0"]})[:-2], "truncated"),
        (pth.legacy(pth.state({}), {}, little=False), "little-endian"),
    ],
)
def test_other_files(data: bytes, reason: str, tmp_path: Path) -> None:
    """Files that are something else say what is wrong with them."""
    with pytest.raises(ModelError, match=reason):
        read(data, tmp_path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ModelError, match="nowhere"):
        read_state_dict(tmp_path / "nowhere.pth")
