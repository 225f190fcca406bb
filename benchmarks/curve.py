"""Quality against time: a network on Amazon Beauty, from the file to the measured artifact, for one and two cores.

    python benchmarks/curve.py --epochs 1,2,4,8,10

Each point is an `endcap train` of its own, with a learning rate that falls over its own epochs and nothing else
changed; the seconds are those of the whole command: reading, describing, training, measuring, writing. The epochs are
fixed before the run and no point is chosen by what it reaches. Peak memory is that of the largest process. Results:
JSON lines, then a Markdown table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data")) / "amazon_s3rec"
CONFIG = HERE.parent / "src" / "endcap" / "configs" / "beauty-gru.toml"


def main() -> None:
    """Runs the points and prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--epochs", default="1,2,4,8,10")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    points = []
    for threads in map(int, options.threads.split(",")):
        for epochs in map(int, options.epochs.split(",")):
            points.append(point(options.config.resolve(), threads, epochs, options.set))
            print(json.dumps(points[-1]), file=sys.stderr, flush=True)
    print(table(points))


def point(config: Path, threads: int, epochs: int, changed: list[str]) -> dict[str, float]:
    """One run of the command line in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "endcap", "train", str(config), f"{out}/model", "--json"]
        for each in (*changed, f"train.epochs={epochs}"):
            command += ["--set", each]
        started = time.perf_counter()
        with subprocess.Popen(
            command, cwd=DATA, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        ) as process:  # fmt: skip
            assert process.stdout is not None
            said = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        if status:
            raise SystemExit(f"{' '.join(command)} failed; run it in {DATA} to see why")
        result = json.loads(said)
    return {
        "threads": threads,
        "epochs": epochs,
        "seconds": seconds,
        "train_seconds": result["train_seconds"],
        "peak_mb": used.ru_maxrss / 1024,
        "valid": result["valid"],
        "hr@10": result["metrics"]["hr@10"],
        "ndcg@10": result["metrics"]["ndcg@10"],
    }


def table(points: list[dict[str, float]]) -> str:
    """A row for each point."""
    lines = [
        "| cores | epochs | all in, s | training, s | peak MB | HR@10 | NDCG@10 |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for each in points:
        lines.append(
            f"| {each['threads']} | {each['epochs']} | {each['seconds']:.0f} | {each['train_seconds']:.0f} "
            f"| {each['peak_mb']:.0f} | {each['hr@10']:.4f} | **{each['ndcg@10']:.4f}** |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
