"""Quality on Amazon Beauty and Toys: leave-one-out, strict, full ranking, seen items masked, next to published figures.

`python benchmarks/quality.py --seeds 3` runs `endcap compare` (resumable) and prints a Markdown table; the results are
in benchmarks/out/quality-SET/. `--models hybrid` runs the hybrid as it comes; by default it is beauty-hybrid.toml.
Published figures: see the sources named in docs/results.md.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data")) / "amazon_s3rec"
SETS = {"Beauty": "Beauty.txt.gz", "Toys": "Toys_and_Games.txt.gz"}
CONFIGS = HERE.parent / "src" / "endcap" / "configs"
TRANSFORMER, HYBRID = CONFIGS / "beauty-transformer.toml", CONFIGS / "beauty-hybrid.toml"
METRICS = ("hr@5", "ndcg@5", "hr@10", "ndcg@10")

# HR@5, NDCG@5, HR@10, NDCG@10 as printed by their authors; NaN where not.
PUBLISHED = {
    "Beauty": {
        "GRU4Rec, cross-entropy, tuned (arXiv 2507.16289)": (0.0430, 0.0289, 0.0638, 0.0356),
        "SASRec, one negative (S3-Rec, CIKM 2020)": (0.0387, 0.0249, 0.0605, 0.0318),
        "SASRec, full cross-entropy, tuned (arXiv 2507.16289)": (0.0693, 0.0498, 0.0974, 0.0588),
    },
    "Toys": {
        "SASRec, one negative (S3-Rec, CIKM 2020)": (0.0463, 0.0306, 0.0675, 0.0374),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=list(SETS), default="Beauty")
    parser.add_argument("--models", default=f"popular,transitions,ease,gru,{TRANSFORMER},{HYBRID}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--refit", action="store_true")
    parser.add_argument("--attributes", action="store_true", help="also tell the networks the items' attributes")
    given = parser.parse_args()
    out = HERE / "out" / f"quality-{given.set.lower()}{'-attributes' if given.attributes else ''}"
    command = [sys.executable, "-m", "endcap", "compare", str(DATA / SETS[given.set]), "--split", "leave-one-out"]
    command += ["--models", given.models, "--seeds", str(given.seeds), "--processes", str(given.processes)]
    if given.attributes:
        items = DATA / SETS[given.set].replace(".txt.gz", "_item2attributes.json.gz")
        command += ["--items", str(items), "--use", "tabular", "--set", "features.tabular.id_order=false"]
    subprocess.run([*command, *(["--refit"] if given.refit else []), "--out", str(out)], check=True)
    print(table(json.loads((out / "results.json").read_text()), PUBLISHED[given.set]))


def table(results: list[dict], published: dict[str, tuple[float, ...]]) -> str:
    """Published rows, then ours: the mean over seeds, and the spread of NDCG@10 between them."""
    lines = [
        "| model | HR@5 | NDCG@5 | HR@10 | NDCG@10 | seeds | training, s | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, figures in published.items():
        lines.append(f"| {name} | " + " | ".join(f"{figure:.4f}" for figure in figures) + " | – | – | – |")
    groups = defaultdict(list)
    for result in results:
        groups[result["model"], result["protocol"]].append(result)
    for (model, protocol), runs in groups.items():
        means = [sum(run["metrics"][name] for run in runs) / len(runs) for name in METRICS]
        deviation = (sum((run["metrics"]["ndcg@10"] - means[3]) ** 2 for run in runs) / max(1, len(runs) - 1)) ** 0.5
        cells = [f"{mean:.4f}" for mean in means]
        cells[3] = f"**{cells[3]}**" + (f" ± {deviation:.4f}" if len(runs) > 1 else "")
        seconds = sum(run["train_seconds"] for run in runs) / len(runs)
        memory = max(run["peak_rss_mb"] for run in runs)
        label = model if protocol == "strict" else f"{model}, refit"
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {len(runs)} | {seconds:.0f} | {memory:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
