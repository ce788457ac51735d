"""DeepImageSearch 2.5 (torch, timm, Faiss), with timm's build of MobileNetV2 and Nitari's own ``.pth`` file in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

import harness


def _import_torchvision() -> torch.library.Library | None:
    """Import it even where it was built for CUDA and torch was not.

    It then misses two operators of its own; nothing here calls them, so they are only declared.
    """
    try:
        import torchvision  # noqa: F401  # only whether it can be imported
    except RuntimeError as exc:
        if "torchvision::" not in str(exc):
            raise
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


_LIBRARY = _import_torchvision()
MODEL = "mobilenetv2_100"


class DeepImageSearch:
    """``Search_Setup``: ``run_index`` and ``get_similar_images``."""

    def ingest(self, task: harness.Task) -> int:
        """One photo a call, on all threads: the library's own way."""
        torch.set_num_threads(task.threads)
        paths = sorted(map(str, task.photos.glob("*.jpg")))
        _setup(task, paths).run_index()
        return len(paths)

    def open(self, task: harness.Task) -> harness.Ask:
        """The network again, and the table that ``run_index`` wrote."""
        torch.set_num_threads(1)
        setup = _setup(task, [])
        setup.image_data = setup.get_image_metadata_file()

        def ask(path: Path) -> str:
            best = next(iter(setup.get_similar_images(str(path), number_of_images=20).values()))
            return Path(best).name

        return ask

    def extras(self, task: harness.Task) -> dict[str, Any]:
        """Nothing."""
        return {}


def _setup(task: harness.Task, paths: list[str]) -> Any:
    """The library's object with the weights that it would otherwise download; it works in the current folder."""
    # These import torchvision, so they come after it was made to import.
    from DeepImageSearch import Search_Setup
    from timm import create_model

    task.state.mkdir(parents=True, exist_ok=True)
    weights, paths = task.weights.resolve(), [str(Path(path).resolve()) for path in paths]
    os.chdir(task.state)
    setup = Search_Setup(paths, model_name=MODEL, pretrained=False)
    network = create_model(MODEL, pretrained=False)
    names = [name for name in network.state_dict() if not name.endswith("num_batches_tracked")]
    stored = torch.load(weights, weights_only=True)
    tensors = [tensor for name, tensor in stored.items() if not name.endswith("num_batches_tracked")]
    # The same layers in the same order under other names.
    network.load_state_dict(dict(zip(names, tensors, strict=True)), strict=False)
    setup.model = torch.nn.Sequential(*list(network.children())[:-1]).eval()
    return setup


if __name__ == "__main__":
    harness.main(DeepImageSearch())
