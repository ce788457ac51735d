"""Compiles the search kernels while a wheel or an editable install is made; without a compiler, numpy does the work."""

from __future__ import annotations

import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = Path("src/nitari/index/kernels")
SOURCES = ("levels.c", "rows.c", "best.c", "lists.c", "places.c", "codes.c", "plain.c", "x86.c", "arm.c")
MODULE = "_compiled"


class CompileKernels(BuildHookInterface):  # type: ignore[type-arg]  # its configuration is never looked at
    """Adds ``_compiled`` to the package, for CPython's stable ABI, so that one wheel a platform serves all versions."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile beside the sources (an editable install is used from there) and add the file to a wheel."""
        if self.target_name != "wheel":
            return
        try:
            made = compile_kernels(Path(self.root))
        except Exception as exc:  # noqa: BLE001 - whatever a foreign compiler says, numpy answers instead
            self.app.display_warning(f"nitari: the search kernels were not compiled, numpy is used instead: {exc}")
            return
        build_data["force_include"][str(made)] = f"nitari/index/kernels/{made.name}"
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"


def compile_kernels(root: Path) -> Path:
    """Compile, and put the module beside its sources. Returns where."""
    import cffi

    native = root / KERNELS / "native"
    declarations = (native / "kernels.h").read_text("utf-8").splitlines()
    builder = cffi.FFI()
    builder.cdef("\n".join(line for line in declarations if not line.startswith("#")))
    builder.set_source(
        MODULE,
        '#include "kernels.h"',
        sources=[str(native / name) for name in SOURCES],
        include_dirs=[str(native)],
        extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
        libraries=[] if sys.platform == "win32" else ["m"],
        py_limited_api=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(builder.compile(tmpdir=folder))
        target = root / KERNELS / compiled.name
        beside = target.with_name(f"{target.name}.new")
        shutil.copyfile(compiled, beside)
        beside.replace(target)  # never written in place: a running process may have the old one mapped
    return target


if __name__ == "__main__":
    print(compile_kernels(Path(__file__).parent))
