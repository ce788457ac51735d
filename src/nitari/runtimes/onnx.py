"""ONNX Runtime: runs a converted network on whatever the machine has. The only file that imports ``onnxruntime``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nitari.errors import ConfigurationError, MissingExtraError, ModelError, UsageError
from nitari.types import FloatArray

CPU = "CPUExecutionProvider"
# Which extra brings a provider, and which distribution that is.
EXTRAS = {
    "CUDAExecutionProvider": ("cuda", "onnxruntime-gpu"),
    "OpenVINOExecutionProvider": ("openvino", "onnxruntime-openvino"),
}
# Failures come as exceptions, with their text; the runtime's own log would only repeat them on the user's terminal.
_LOG_FATAL_ONLY = 4


class OnnxModel:
    """A network on this machine: float32 ``[n, ...]`` in, its first output, float32 ``[n, ...]``, out.

    Safe to call from several threads at once. Throughput on a CPU is best with ``threads=1`` and one caller a core;
    a caller that waits neither spins nor holds the GIL. Copies to and from an accelerator happen inside.

    Args:
        path: A converted model with one float32 input and a free first dimension (see ``models.convert``).
        providers: Execution providers, best first. All must be there and start: nothing falls back silently, because
            a fallback would show only as a bill or as vectors that differ.
        threads: Threads inside one call.

    Raises:
        MissingExtraError: a provider whose extra is not installed.
        ConfigurationError: a provider that this machine does not have, or that does not start.
        ModelError: a file that is not a model.
    """

    def __init__(self, path: Path, *, providers: Sequence[str] = (CPU,), threads: int = 1) -> None:
        ort = _runtime()
        wanted = tuple(dict.fromkeys(providers)) or (CPU,)
        for provider in wanted:
            _require(provider, ort.get_available_providers())
        self._path = path
        with _translated(path):
            self._session = ort.InferenceSession(
                str(path),
                sess_options=_options(ort, threads),
                providers=list(wanted),
                provider_options=[_provider_options(provider, threads) for provider in wanted],
            )
        _check_started(wanted, self._session.get_providers())
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            found = ", ".join(f"{i.name} {i.type}" for i in inputs)
            raise ModelError(f"model {path} takes {found or 'nothing'}, expected one float32 tensor")
        self._input = inputs[0].name
        self._output = self._session.get_outputs()[0].name
        # Names stand for free dimensions.
        self._shape = tuple(d if isinstance(d, int) else None for d in inputs[0].shape)

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """The input's shape; ``None`` for free dimensions."""
        return self._shape

    @property
    def providers(self) -> tuple[str, ...]:
        """The execution providers in use, best first."""
        return tuple(self._session.get_providers())

    def run(self, inputs: FloatArray) -> FloatArray:
        """The first output for ``inputs``.

        Args:
            inputs: float32, ``input_shape``.

        Raises:
            UsageError: another shape or dtype.
            ModelError: the network fails.
        """
        fits = inputs.ndim == len(self._shape) and all(
            want in (None, have) for want, have in zip(self._shape, inputs.shape, strict=True)
        )
        if inputs.dtype != np.float32 or not fits:
            want = ", ".join("any" if d is None else str(d) for d in self._shape)
            raise UsageError(
                f"model {self._path.name} was given {inputs.dtype} {list(inputs.shape)}, expected float32 [{want}]"
            )
        with _translated(self._path):
            output: FloatArray = self._session.run([self._output], {self._input: np.ascontiguousarray(inputs)})[0]
        return output


@cache
def _runtime() -> Any:
    """The module ``onnxruntime``, imported late (it takes about 0.1 s) and silenced."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(_LOG_FATAL_ONLY)
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _options(ort: Any, threads: int) -> Any:
    """Session options: no spinning (idle threads would burn the cores that other workers need), arena on."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = True
    options.log_severity_level = _LOG_FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


def _provider_options(provider: str, threads: int) -> dict[str, str]:
    """Settings that keep vectors the same across machines: float32 arithmetic, not TF32 or bf16."""
    if provider == "CUDAExecutionProvider":
        return {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    if provider == "OpenVINOExecutionProvider":
        return {"device_type": "CPU", "precision": "FP32", "num_of_threads": str(threads)}
    return {}


def _require(provider: str, available: Sequence[str]) -> None:
    """Raise unless the installed runtime has this execution provider."""
    if provider in available:
        return
    extra, distribution = EXTRAS.get(provider, ("", ""))
    if not extra:
        raise ConfigurationError(
            f"runtime.providers names {provider}, this machine's ONNX Runtime has {', '.join(available)}",
            remedy=f"choose among {', '.join(available)}, {', '.join(EXTRAS)}",
        )
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise MissingExtraError(f"the execution provider {provider}", extra) from None
    # Both distributions install into the same folder; whichever came last is the one that is there.
    raise ConfigurationError(
        f"{distribution} is installed, but the plain onnxruntime overwrote it, so there is no {provider}",
        remedy=f"pip install --force-reinstall --no-deps {distribution}",
    )


def _check_started(wanted: Sequence[str], started: Sequence[str]) -> None:
    """Raise where the runtime quietly went on without a provider (missing driver, wrong CUDA version)."""
    lost = [provider for provider in wanted if provider not in started]
    if lost:
        raise ConfigurationError(
            f"the execution provider {lost[0]} is installed but does not start on this machine",
            remedy="check the device's driver and the versions that ONNX Runtime asks for, or take it out of "
            "runtime.providers",
        )


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """The runtime's exceptions, which have no common base but ``Exception``, as ours."""
    try:
        yield
    except Exception as exc:
        if not type(exc).__module__.startswith("onnxruntime"):
            raise
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ModelError(
            f"model {path} does not run: {reason}", remedy="`nitari model pull` with --force converts it again"
        ) from exc
