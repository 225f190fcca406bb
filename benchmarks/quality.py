"""Quality next to published figures, strict, full ranking.

Amazon Beauty and Toys: leave-one-out, seen items masked; Diginetica's sessions: the standard split, seen items allowed.

`python benchmarks/quality.py --seeds 3` runs `endcap compare` (resumable) and prints a Markdown table; the results are
in benchmarks/out/quality-SET/. `--models hybrid` runs the hybrid as it comes; by default it is the set's own.
Published figures: see the sources named in docs/results.md.
"""

import argparse
import json
import math
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data"))
CONFIGS = HERE.parent / "src" / "endcap" / "configs"
BEAUTY = ("popular", "transitions", "ease", "gru", CONFIGS / "beauty-transformer.toml", CONFIGS / "beauty-hybrid.toml")
LISTS = ("hr@5", "ndcg@5", "hr@10", "ndcg@10")


@dataclass(frozen=True)
class Set:
    """A log, how it is split, what is reported (the last is the main one), and what others print; NaN where nothing."""

    path: Path
    split: str
    models: tuple[str | Path, ...]
    metrics: tuple[str, ...]
    published: dict[str, tuple[float, ...]]


SETS = {
    "Beauty": Set(
        DATA / "amazon_s3rec" / "Beauty.txt.gz", "leave-one-out", BEAUTY, LISTS,
        {
            "GRU4Rec, cross-entropy, tuned (arXiv 2507.16289)": (0.0430, 0.0289, 0.0638, 0.0356),
            "SASRec, one negative (S3-Rec, CIKM 2020)": (0.0387, 0.0249, 0.0605, 0.0318),
            "SASRec, full cross-entropy, tuned (arXiv 2507.16289)": (0.0693, 0.0498, 0.0974, 0.0588),
        },
    ),
    "Toys": Set(
        DATA / "amazon_s3rec" / "Toys_and_Games.txt.gz", "leave-one-out", BEAUTY, LISTS,
        {"SASRec, one negative (S3-Rec, CIKM 2020)": (0.0463, 0.0306, 0.0675, 0.0374)},
    ),
    "Diginetica": Set(
        DATA / "sessions_diginetica", "given",
        ("transitions", "knn", CONFIGS / "sessions-hybrid.toml"),
        ("hr@10", "ndcg@10", "hr@20", "mrr@20"),
        {"SR-PredAO on DIDN (arXiv 2309.12218)": (math.nan, math.nan, 0.5786, 0.2049)},
    ),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=list(SETS), default="Beauty")
    parser.add_argument("--models", help="by default those of the set, see SETS")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--attributes", action="store_true", help="also tell the networks the items' attributes")
    given = parser.parse_args()
    chosen = SETS[given.set]
    out = HERE / "out" / f"quality-{given.set.lower()}{'-attributes' if given.attributes else ''}"
    models = given.models or ",".join(str(model) for model in chosen.models)
    command = [sys.executable, "-m", "endcap", "compare", str(chosen.path), "--split", chosen.split]
    command += ["--models", models, "--seeds", str(given.seeds), "--processes", str(given.processes)]
    if given.attributes:
        items = chosen.path.with_name(chosen.path.name.replace(".txt.gz", "_item2attributes.json.gz"))
        command += ["--items", str(items), "--use", "tabular", "--set", "features.tabular.id_order=false"]
    subprocess.run([*command, *(["--refit"] if given.refit else []), "--out", str(out)], check=True)
    print(table(json.loads((out / "results.json").read_text()), chosen))


def table(results: list[dict], chosen: Set) -> str:
    """Published rows, then ours: the mean over seeds, and the spread of the main metric between them."""
    lines = [
        f"| model | {' | '.join(metric.upper() for metric in chosen.metrics)} | seeds | training, s | peak MB |",
        f"|---|{'--:|' * (len(chosen.metrics) + 3)}",
    ]
    for name, figures in chosen.published.items():
        cells = ["–" if math.isnan(figure) else f"{figure:.4f}" for figure in figures]
        lines.append(f"| {name} | {' | '.join(cells)} | – | – | – |")
    groups = defaultdict(list)
    for result in results:
        groups[result["model"], result["protocol"]].append(result)
    for (model, protocol), runs in groups.items():
        means = [sum(run["metrics"][name] for run in runs) / len(runs) for name in chosen.metrics]
        squares = sum((run["metrics"][chosen.metrics[-1]] - means[-1]) ** 2 for run in runs)
        deviation = (squares / max(1, len(runs) - 1)) ** 0.5
        cells = [f"{mean:.4f}" for mean in means]
        cells[-1] = f"**{cells[-1]}**" + (f" ± {deviation:.4f}" if len(runs) > 1 else "")
        seconds = sum(run["train_seconds"] for run in runs) / len(runs)
        memory = max(run["peak_rss_mb"] for run in runs)
        label = model if protocol == "strict" else f"{model}, refit"
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {len(runs)} | {seconds:.0f} | {memory:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
