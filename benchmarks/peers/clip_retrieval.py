"""clip-retrieval, by its own command. It knows CLIP networks only, from a hub: another network than the others run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import harness

MODEL = "open_clip:ViT-B-32/laion2b_s34b_b79k"


class ClipRetrieval:
    """``clip-retrieval inference`` and ``index``; a query by the library calls that its server makes."""

    def ingest(self, task: harness.Task) -> int:
        """Embed and index by the two commands that its README names."""
        program = Path(sys.executable).with_name("clip-retrieval")
        vectors, index = task.state / "embeddings", task.state / "index"
        steps = (
            ["inference", f"--input_dataset={task.photos}", f"--output_folder={vectors}", f"--clip_model={MODEL}",
             "--enable_text=False", f"--num_prepro_workers={task.threads}"],
            ["index", f"--embeddings_folder={vectors}", f"--index_folder={index}"],
        )  # fmt: skip
        for step in steps:
            if code := subprocess.run([str(program), *step], check=False).returncode:
                sys.exit(code)  # what went wrong is the last thing on its standard error
        return sum(1 for _ in task.photos.glob("*.jpg"))

    def open(self, task: harness.Task) -> harness.Ask:
        """Its library functions for a query: load CLIP, embed, search."""
        import faiss
        import torch
        from all_clip import load_clip
        from PIL import Image

        torch.set_num_threads(1)
        network, prepare, _ = load_clip(MODEL, device="cpu", use_jit=False)
        index = faiss.read_index(str(task.state / "index" / "image.index"))
        names = sorted(path.name for path in task.photos.glob("*.jpg"))

        def ask(path: Path) -> str:
            with Image.open(path) as image, torch.no_grad():
                vector = network.encode_image(prepare(image)[None])
            vector = torch.nn.functional.normalize(vector, dim=-1).float().numpy()
            return names[index.search(vector, 20)[1][0][0]]

        return ask

    def extras(self, task: harness.Task) -> dict[str, Any]:
        """Nothing."""
        return {}


if __name__ == "__main__":
    harness.main(ClipRetrieval())
