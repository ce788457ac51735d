"""The kernels for ARM, on an emulated processor where this one is another."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

NATIVE = Path(__file__).parents[4] / "src" / "nitari" / "index" / "kernels" / "native"
PROGRAM = Path(__file__).with_name("ops_agree.c")


def test_neon_answers_as_plain_c(tmp_path: Path, missing: Callable[[str], None]) -> None:
    """Every loop that is written for NEON gives what the same loop in plain C gives."""
    own = platform.machine() in ("aarch64", "arm64")
    compiler = shutil.which("cc" if own else "aarch64-linux-gnu-gcc")
    runner = "" if own else shutil.which("qemu-aarch64")
    if compiler is None or runner is None:
        missing("aarch64-linux-gnu-gcc and qemu-aarch64 are needed to try the kernels for ARM")
        return
    program = tmp_path / "ops_agree"
    sources = [str(NATIVE / name) for name in ("arm.c", "plain.c")]
    flags = ["-O3", "-Wall", "-Wextra", "-Werror", *([] if own else ["-static"])]
    built = subprocess.run(
        [compiler, *flags, f"-I{NATIVE}", str(PROGRAM), *sources, "-lm", "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([*filter(None, [runner]), str(program)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
