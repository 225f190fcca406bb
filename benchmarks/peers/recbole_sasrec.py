"""RecBole's SASRec (64 wide, 2 layers, length 50, full softmax) or GRU4Rec, timed; runs in the venv of install.py.

All the rest is RecBole's default (2 heads, dropout .5; GRU4Rec: 128 wide), but for mixed precision, with which it takes
five sixths of the time, and the batch size: 512 is faster than the default 2,048 on CPU cores. Its loader makes a row
of each target, padded to 50. It never masks seen items.
"""

import contextlib
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from measurement import Measurement, Options, options, peak_rss_mb, read_sequences
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed

FASTEST_BATCH = {"SASRec": 512, "GRU4Rec": 512}


class Portion:
    """The first so many batches of a loader, as a loader."""

    def __init__(self, loader: Any, batches: int) -> None:
        self.loader, self.batches = loader, batches

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(iter(self.loader), self.batches)

    def __len__(self) -> int:
        return self.batches


def write_atomic_file(sequences: dict[str, list[str]], path: Path) -> None:
    """RecBole's own format; the place in the history stands for the time, which the source has not."""
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("user_id:token\titem_id:token\ttimestamp:float\n")
        for user, items in sequences.items():
            file.writelines(f"{user}\t{item}\t{place}\n" for place, item in enumerate(items))


def settings(asked: Options, folder: Path) -> dict[str, Any]:
    return {
        "data_path": str(folder),
        "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
        "eval_args": {"split": {"LS": "valid_and_test"}, "group_by": "user", "order": "TO", "mode": "full"},
        "train_neg_sample_args": None,  # full softmax
        "MAX_ITEM_LIST_LENGTH": 50,
        "epochs": asked.epochs,
        "enable_amp": True,
        "train_batch_size": asked.batch_size,
        "metrics": ["Hit", "NDCG"],
        "topk": [10],
        "valid_metric": "NDCG@10",
        "use_gpu": False,
        "show_progress": False,
    }


def measure(asked: Options, folder: Path) -> Measurement:
    sequences = read_sequences(asked.data)
    write_atomic_file(sequences, folder / "beauty" / "beauty.inter")
    config = Config(model=asked.model, dataset="beauty", config_dict=settings(asked, folder))
    init_seed(config["seed"], config["reproducibility"])
    train, _, test = data_preparation(config, create_dataset(config))
    model = get_model(asked.model)(config, train.dataset)
    trainer = get_trainer(config["MODEL_TYPE"], asked.model)(config, model)
    torch.set_num_threads(asked.threads)

    batches = max(1, round(asked.share * len(train)))
    share = batches / len(train)
    epoch_seconds = evaluate_seconds = ndcg = None
    if asked.train:
        started = time.perf_counter()
        # Not saved: the best checkpoint cannot be read back with a current PyTorch (UnpicklingError).
        trainer.fit(Portion(train, batches), saved=False, verbose=False)
        epoch_seconds = (time.perf_counter() - started) / asked.epochs / share
    peak = peak_rss_mb()
    if asked.evaluate:
        started = time.perf_counter()
        ndcg = float(trainer.evaluate(test, load_best_model=False)["ndcg@10"])
        evaluate_seconds = time.perf_counter() - started
    return Measurement(
        peer="RecBole",
        version=version("recbole"),
        model=asked.model,
        epoch_seconds=epoch_seconds,
        share=share,
        evaluate_seconds=evaluate_seconds,
        peak_rss_mb=peak,
        threads=asked.threads,
        targets=len(train.dataset),
        batch_size=asked.batch_size,
        users=len(test.dataset),
        seen_masked=False,
        ndcg10=ndcg,
    )


def main() -> None:
    asked = options(FASTEST_BATCH)
    sys.argv = sys.argv[:1]  # RecBole reads the command line too
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # it leaves logs where it stands
        measure(asked, Path(folder)).print()


if __name__ == "__main__":
    main()
