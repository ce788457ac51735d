"""The ONNX Runtime adapter."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nitari.errors import ConfigurationError, MissingExtraError, ModelError, UsageError
from nitari.runtimes import onnx as adapter
from nitari.runtimes.onnx import OnnxModel
from support.models import DIM, SIDE, tiny_matrix, tiny_network


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A network whose wanted output comes second."""
    path = tmp_path / "net.onnx"
    network = tiny_network(batch="n")
    del network.graph.output[0]
    path.write_bytes(network.SerializeToString())
    return path


def test_run(path: Path) -> None:
    """The first output comes back for any batch, from any memory layout of the input."""
    model = OnnxModel(path)
    assert model.input_shape == (None, 3, SIDE, SIDE)
    assert model.providers == ("CPUExecutionProvider",)
    images = np.random.default_rng(0).standard_normal((4, SIDE, SIDE, 3)).astype(np.float32).transpose(0, 3, 1, 2)
    expected = np.maximum(images.mean(axis=(2, 3)) @ tiny_matrix(), 0)
    found = model.run(images)
    assert found.dtype == np.float32
    assert found.shape == (4, DIM)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_threads_share_a_model(path: Path) -> None:
    """Calls from several threads at once do not disturb one another."""
    model = OnnxModel(path, threads=2)
    images = np.random.default_rng(0).standard_normal((64, 1, 3, SIDE, SIDE)).astype(np.float32)
    expected = [model.run(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for found, one in zip(pool.map(model.run, images), expected, strict=True):
            assert np.array_equal(found, one)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 3, SIDE, SIDE)), np.zeros((1, 3, SIDE, 9), np.float32), np.zeros((3, SIDE, SIDE), np.float32)],
)
def test_wrong_input(images: np.ndarray, path: Path) -> None:  # type: ignore[type-arg]
    """Another dtype or shape is refused before the runtime sees it, telling what is expected."""
    with pytest.raises(UsageError, match=r"expected float32 \[any, 3, 8, 8\]"):
        OnnxModel(path).run(images)


@pytest.mark.parametrize("content", [None, b"", b"not a network"])
def test_not_a_model(content: bytes | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file that is missing or no network is a ModelError, and the runtime prints nothing."""
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.onnx does not run"):
        OnnxModel(path)
    assert capfd.readouterr() == ("", "")


def test_other_inputs(tmp_path: Path) -> None:
    """A network that does not take one float32 tensor is refused."""
    path = tmp_path / "half.onnx"
    path.write_bytes(tiny_network(half=True).SerializeToString())
    with pytest.raises(ModelError, match=r"takes x tensor\(float16\), expected one float32 tensor"):
        OnnxModel(path)


@pytest.mark.parametrize(
    ("provider", "extra"), [("CUDAExecutionProvider", "cuda"), ("OpenVINOExecutionProvider", "openvino")]
)
def test_provider_of_an_extra(provider: str, extra: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that an extra brings says which; one that was overwritten says how to repair it."""
    monkeypatch.setattr(adapter._runtime(), "get_available_providers", lambda: ["CPUExecutionProvider"])
    versions = {"onnxruntime": "1.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(MissingExtraError, match=provider) as missing:
        OnnxModel(path, providers=[provider])
    assert f"nitari[{extra}]" in missing.value.remedy
    versions[adapter.EXTRAS[provider][1]] = "1.0"
    with pytest.raises(ConfigurationError, match="overwrote it") as overwritten:
        OnnxModel(path, providers=[provider])
    assert "--force-reinstall" in overwritten.value.remedy


def test_unknown_provider(path: Path) -> None:
    """A provider that nothing brings is told with those that there are."""
    with pytest.raises(ConfigurationError, match=r"names Abacus, .* has .*CPUExecutionProvider"):
        OnnxModel(path, providers=["Abacus", "CPUExecutionProvider"])


def test_provider_that_does_not_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that the runtime dropped on the way is an error, not a silent fallback."""
    monkeypatch.setattr(
        adapter._runtime(), "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    with pytest.raises((ConfigurationError, UserWarning), match="CUDAExecutionProvider"):
        OnnxModel(path, providers=["CUDAExecutionProvider"])


def test_imported_late() -> None:
    """Importing the adapter does not import the runtime."""
    code = "import sys, nitari.runtimes.onnx; sys.exit('onnxruntime' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_floating_point_is_left_alone(path: Path) -> None:
    """A session does not switch this thread to flushing denormals: numpy's results must not depend on it."""
    OnnxModel(path).run(np.zeros((1, 3, SIDE, SIDE), np.float32))
    tiny = np.float32(1e-30)
    assert tiny * np.float32(1e-10) > 0
