"""SGD, Adam and AdamW, constant and cosine: the same transformer on Amazon Beauty, the same epochs, by validation.

`python benchmarks/optimizers.py` prints a Markdown table; each optimizer at the best of three learning rates.
"""

import argparse
import os
from pathlib import Path

import torch

from endcap import config as configuration
from endcap.data import backend
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.mark import SplitConfig
from endcap.data.split import split
from endcap.fitting import fit
from endcap.training import Task, TrainConfig

HERE = Path(__file__).resolve().parent
BEAUTY = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data")) / "amazon_s3rec" / "Beauty.txt.gz"
RATES = {"sgd": (0.3, 1.0, 3.0), "adam": (5e-4, 1e-3, 2e-3), "adamw": (5e-4, 1e-3, 2e-3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    data = DataConfig(events=str(BEAUTY))
    parts = split(prepare(backend.local(), data, CleanConfig(), SplitConfig(method="leave-one-out")).table)
    model = configuration.model("transformer", dim=64, loss={"name": "sampled"})
    print("| optimizer | schedule | learning rate | validation NDCG@10 | loss |\n|---|---|--:|--:|--:|")
    for optimizer, rates in RATES.items():
        for schedule in ("constant", "cosine"):
            runs = []
            for rate in rates:
                training = TrainConfig(
                    epochs=given.epochs, patience=0, optimizer=optimizer, learning_rate=rate, schedule=schedule
                )
                fitted = fit(model, parts.train, parts.valid, training, Task())
                runs.append((fitted.epochs[-1].metric, rate, fitted.epochs[-1].loss))
            metric, rate, loss = max(runs)
            print(f"| {optimizer} | {schedule} | {rate:g} | {metric:.4f} | {loss:.3f} |", flush=True)


if __name__ == "__main__":
    main()
