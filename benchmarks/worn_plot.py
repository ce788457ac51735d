"""Draws what a query transform does over its strengths. Run in an environment that has matplotlib.

nitari transform show --model nitari-fashion --json > transform.json
python benchmarks/worn_plot.py transform.json docs/images/worn-strengths.png
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


def main() -> None:
    """Draw share against precision, one dot a strength, the chosen one ringed."""
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["told"]
    points, auto = told["strengths"], told["auto"]
    figure, axes = plt.subplots(figsize=(8, 5), dpi=110)
    worn = [point["worn"] for point in points]
    axes.plot(worn, [point["precision"] for point in points], "o-", color="#c2185b", label="right kind, worn or flat")
    axes.plot(worn, [point["flat"] for point in points], "s--", color="#1565c0", label="right kind and flat")
    for point in points[::2]:
        place = (point["worn"], point["precision"])
        axes.annotate(f"{point['strength']:g}", place, textcoords="offset points", xytext=(0, 8), ha="center")
    axes.plot(auto["worn"], auto["precision"], "o", ms=16, mfc="none", mec="black", mew=2, label="auto (default)")
    axes.plot(*FROZEN, "x", ms=10, color="#37474f", label="frozen network, no head")
    axes.set(xlabel="share of worn photos among the first 10", ylabel="share of the first 10", xlim=(1.03, 0.2))
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(loc="center left")
    figure.tight_layout()
    figure.savefig(sys.argv[2])


if __name__ == "__main__":
    main()
