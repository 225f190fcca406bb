"""What every run of the comparison reads and prints: the same file, the same options, one JSON object on stdout."""

import argparse
import gzip
import json
import os
import resource
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BEAUTY = Path(os.environ.get("ENDCAP_DATA", ROOT.parent / "shared" / "data")) / "amazon_s3rec" / "Beauty.txt.gz"


@dataclass(frozen=True)
class Options:
    """What to measure, read from the command line."""

    data: Path
    epochs: int
    share: float  # of an epoch's batches that are run
    train: bool
    evaluate: bool
    threads: int
    model: str
    batch_size: int


@dataclass(frozen=True)
class Measurement:
    """One program's speed and memory; seconds are of wall clock, None where not measured."""

    peer: str
    version: str
    model: str
    epoch_seconds: float | None  # a whole epoch's: divided by the share that was run
    share: float  # of the epoch's batches, as really run
    evaluate_seconds: float | None  # histories to top 10 to HR and NDCG, all users, all items
    peak_rss_mb: float  # until the end of training, evaluation excluded; of the whole process where it did not train
    threads: int
    targets: int  # next items learnt in a whole epoch
    batch_size: int  # rows: a history's prefix in RecBole, a whole history in RecTools
    users: int
    seen_masked: bool
    ndcg10: float | None  # a sign of life; says nothing of a model that has not converged

    def print(self) -> None:
        """One JSON object on one line: the last line of stdout."""
        print(json.dumps(asdict(self)))


def options(models: dict[str, int], arguments: list[str] | None = None) -> Options:
    """The command line's; `models` maps each name, the default first, to the batch size at which it was fastest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=BEAUTY, help="sequences: `user item item …` a line, gz")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of an epoch's batches; the seconds are divided by it")
    parser.add_argument("--what", default="train,evaluate", help="train, evaluate or both")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", choices=list(models), default=next(iter(models)))
    parser.add_argument("--batch-size", type=int, help="default: at which the model was fastest")
    given = parser.parse_args(arguments)
    what = set(given.what.split(","))
    if not what <= {"train", "evaluate"}:
        parser.error(f"--what is {given.what!r}, expected train, evaluate or train,evaluate")
    if not 0 < given.share <= 1:
        parser.error(f"--share is {given.share}, expected more than 0 and at most 1")
    return Options(
        data=given.data.resolve(),
        epochs=given.epochs,
        share=given.share,
        train="train" in what,
        evaluate="evaluate" in what,
        threads=given.threads,
        model=given.model,
        batch_size=given.batch_size or models[given.model],
    )


def read_sequences(path: Path) -> dict[str, list[str]]:
    """Each user's items, oldest first; the last is the test item, the last but one the validation item."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [line.split() for line in lines]
    return {user: items for user, *items in rows}


def peak_rss_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB
