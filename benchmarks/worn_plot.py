"""Draws what a query transform does over its strengths. Run in an environment that has matplotlib.

mkdir points; for s in off 0.3 0.5 0.8 auto; do
  nitari eval worn DATA --folds benchmarks/folds --worn $s --json > points/$s.json; done
python benchmarks/worn_plot.py points docs/images/worn-strengths.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

FROZEN = (1.0, 0.729)
"""Share of worn photos and precision with frozen EfficientNet-Lite0, whole photo (``nitari eval worn``)."""
SHARE, RIGHT, FLAT = "worn share@10", "P@10", "flat P@10"


def read(folder: Path) -> dict[str, dict[str, float]]:
    """The measures of each strength, the weakest first."""
    found = {}
    for path in folder.glob("*.json"):
        measures = json.loads(path.read_text(encoding="utf-8"))["measures"]
        found[path.stem] = {name: measures[name]["value"] for name in (SHARE, RIGHT, FLAT)}
    return dict(sorted(found.items(), key=lambda entry: -entry[1][SHARE]))


def main() -> None:
    """Draw share against precision, one dot a strength, the chosen one ringed."""
    found = read(Path(sys.argv[1]))
    auto = found.pop("auto")
    figure, axes = plt.subplots(figsize=(8, 5), dpi=110)
    worn = [point[SHARE] for point in found.values()]
    axes.plot(worn, [point[RIGHT] for point in found.values()], "o-", color="#c2185b", label="right kind, worn or flat")
    axes.plot(worn, [point[FLAT] for point in found.values()], "s--", color="#1565c0", label="right kind and flat")
    for strength, point in found.items():
        place = (point[SHARE], point[RIGHT])
        axes.annotate(strength, place, textcoords="offset points", xytext=(0, 8), ha="center")
    axes.plot(auto[SHARE], auto[RIGHT], "o", ms=16, mfc="none", mec="black", mew=2, label="auto (default)")
    axes.plot(*FROZEN, "x", ms=10, color="#37474f", label="frozen network, no head")
    axes.set(xlabel="share of worn photos among the first 10", ylabel="share of the first 10", xlim=(1.03, -0.03))
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left")
    figure.tight_layout()
    figure.savefig(sys.argv[2])


if __name__ == "__main__":
    main()
