"""RecTools' SASRec (64 wide, 2 layers, length 50, full softmax), timed; runs in the venv of install.py.

All the rest is RecTools' default (4 heads, dropout .2), but for mixed precision, with which it takes four fifths of the
time, and the batch size: 64 is a little faster on CPU cores than the default 128 in single precision, as fast with it,
and takes less memory. A row is a whole history, padded to 50, with a target at each of its places; older ones are cut
off, so that an epoch has a little fewer targets than RecBole's. Seen items are masked.
"""

import itertools
import logging
import time
import warnings
from importlib.metadata import version
from typing import Any

import pandas as pd
import torch
from measurement import Measurement, Options, options, peak_rss_mb, read_sequences
from pytorch_lightning import Callback, Trainer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import NDCG, HitRate, calc_metrics
from rectools.models import SASRecModel

FASTEST_BATCH = {"SASRec": 64}


class EpochClock(Callback):
    """Seconds of all epochs together, without what comes before and after."""

    def __init__(self) -> None:
        self.started = self.seconds = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Called by Lightning."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Called by Lightning."""
        self.seconds += time.perf_counter() - self.started


def interactions(sequences: dict[str, list[str]]) -> pd.DataFrame:
    """One row per event; the place in the history stands for the time, which the source has not."""
    users = itertools.chain.from_iterable(itertools.repeat(user, len(items)) for user, items in sequences.items())
    places = itertools.chain.from_iterable(range(len(items)) for items in sequences.values())
    return pd.DataFrame(
        {
            Columns.User: list(users),
            Columns.Item: list(itertools.chain.from_iterable(sequences.values())),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(list(places), unit="s"),
        }
    )


def without_last(sequences: dict[str, list[str]], events: int) -> Dataset:
    return Dataset.construct(interactions({user: items[:-events] for user, items in sequences.items()}))


def measure(asked: Options) -> Measurement:
    sequences = read_sequences(asked.data)
    train, before_test = without_last(sequences, 2), without_last(sequences, 1)
    test = interactions({user: items[-1:] for user, items in sequences.items()})
    batches_of_epoch = -(-len(sequences) // asked.batch_size)
    # Even when only the evaluation is asked for it must have been fitted: one batch will do.
    batches = max(1, round(asked.share * batches_of_epoch)) if asked.train else 1
    share = batches / batches_of_epoch

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=asked.epochs,
            min_epochs=asked.epochs,
            limit_train_batches=batches,
            callbacks=[EpochClock()],
            accelerator="cpu",
            precision="bf16-mixed",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    model = SASRecModel(
        n_factors=64,
        n_blocks=2,
        session_max_len=50,
        loss="softmax",
        batch_size=asked.batch_size,
        epochs=asked.epochs,
        get_trainer_func=trainer,
    )
    torch.set_num_threads(asked.threads)
    model.fit(train)
    peak = peak_rss_mb()
    clock = next(callback for callback in model.fit_trainer.callbacks if isinstance(callback, EpochClock))
    learnt = model.data_preparator.train_dataset.interactions.df

    evaluate_seconds = ndcg = None
    if asked.evaluate:
        started = time.perf_counter()
        ranking = model.recommend(test[Columns.User].to_numpy(), before_test, k=10, filter_viewed=True)
        # The ideal ranking has one hit, not ten: there is one target a user.
        wanted = {"hr@10": HitRate(k=10), "ndcg@10": NDCG(k=10, divide_by_achievable=True)}
        ndcg = float(calc_metrics(wanted, reco=ranking, interactions=test)["ndcg@10"])
        evaluate_seconds = time.perf_counter() - started
    return Measurement(
        peer="RecTools",
        version=version("rectools"),
        model=asked.model,
        epoch_seconds=clock.seconds / asked.epochs / share if asked.train else None,
        share=share,
        evaluate_seconds=evaluate_seconds,
        peak_rss_mb=peak,
        threads=asked.threads,
        targets=len(learnt) - learnt[Columns.User].nunique(),
        batch_size=asked.batch_size,
        users=len(test),
        seen_masked=True,
        ndcg10=ndcg,
    )


def main() -> None:
    warnings.filterwarnings("ignore")  # on worker counts and the like
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    measure(options(FASTEST_BATCH)).print()


if __name__ == "__main__":
    main()
