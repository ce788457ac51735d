"""Virtual environments for peers, made by the first run with the user's own pip and kept."""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Sequence
from pathlib import Path

INSTALL_S = 600


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment(folder: Path, requirements: Sequence[str]) -> str:
    """Make an environment in ``folder``, unless it is there.

    Args:
        folder: Where.
        requirements: Arguments of one ``pip install`` each.

    Returns:
        Why it could not be made; empty where it could.
    """
    ready = folder / "ready"
    if ready.exists():
        return ""
    venv.create(folder, with_pip=True, clear=True)
    for requirement in requirements:
        command = [str(python_of(folder)), "-m", "pip", "install", "--quiet", *requirement.split()]
        try:
            subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=True)
        except subprocess.TimeoutExpired:
            return f"pip install {requirement}: not done after {INSTALL_S} s"
        except subprocess.CalledProcessError as exc:
            return f"pip install {requirement}: {reason(exc.stderr)}"
    ready.touch()
    return ""


def reason(output: str) -> str:
    """The line of a traceback that says what is wrong."""
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line.split(" ")[0] or line.startswith("ERROR")]
    return (errors or lines or ["no output"])[-1][:300]
