"""Our side of benchmarks/epoch.py: one training epoch and one full-ranking evaluation of the transformer on Beauty.

64 wide, 2 layers, 2 heads, full softmax, as the peers'; `--model transformer-sampled` uses sampled negatives,
`--model transformer-float32` single precision in all products.
"""

import time
from importlib.metadata import version

import numpy as np
import torch

from endcap import config as configuration
from endcap.data import backend
from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig, prepare
from endcap.data.mark import SplitConfig
from endcap.data.split import split
from endcap.evaluation import evaluate
from endcap.fitting import fit
from endcap.training import Epoch, Task, TrainConfig
from peers.measurement import Measurement, Options, options, peak_rss_mb

BATCH_TOKENS = {"transformer": 1_024, "transformer-sampled": 1_024, "transformer-float32": 1_024, "gru": 1_024}


def measure(asked: Options) -> Measurement:
    torch.set_num_threads(asked.threads)
    data = DataConfig(events=str(asked.data))
    dataset = prepare(backend.local(threads=asked.threads), data, CleanConfig(), SplitConfig(method="leave-one-out"))
    parts = split(dataset.table)
    shape = {"heads": 2, "layers": 2} if asked.model.startswith("transformer") else {"hidden": 64}
    loss = {
        "name": "sampled" if asked.model.endswith("sampled") else "full",
        "precision": "float32" if asked.model.endswith("float32") else "auto",
    }
    model = configuration.model(asked.model.split("-")[0], dim=64, loss=loss, **shape)
    training = TrainConfig(
        epochs=asked.epochs if asked.train else 1,
        batch_tokens=asked.batch_size,
        share=asked.share if asked.train else 1e-9,  # a single batch: a model to evaluate
        patience=0,
    )
    epochs: list[Epoch] = []
    fitted = fit(model, parts.train, None, training, Task(), on_epoch=epochs.append)
    peak = peak_rss_mb()
    evaluate_seconds = ndcg = None
    if asked.evaluate:
        started = time.perf_counter()
        ndcg = float(evaluate(fitted.model, parts.test, shown=10).metric("ndcg@10").mean())
        evaluate_seconds = time.perf_counter() - started
    return Measurement(
        peer="Endcap",
        version=version("endcap"),
        model=asked.model,
        epoch_seconds=float(np.mean([epoch.seconds for epoch in epochs])) / asked.share if asked.train else None,
        share=asked.share,
        evaluate_seconds=evaluate_seconds,
        peak_rss_mb=peak,
        threads=asked.threads,
        targets=len(parts.train.items) - len(parts.train),
        batch_size=asked.batch_size,
        users=len(parts.test),
        seen_masked=True,
        ndcg10=ndcg,
    )


if __name__ == "__main__":
    measure(options(BATCH_TOKENS)).print()
