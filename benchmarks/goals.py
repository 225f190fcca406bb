"""Does it help to know what visitors did? RetailRocket: the held-out purchase, from views, carts and purchases.

    python benchmarks/goals.py --seeds 3

kinds       every event with its kind, trained for all goals, asked for purchases
no kinds    the same events, all of one kind: what was viewed, put into a cart and bought looks alike
purchases   the purchases alone
Choices are made on validation; the test part is looked at once. Intervals are bootstraps over users, of the mean over
seeds. `seen` are the answers that were an event of anybody in training, `after a purchase` the share of
questions whose history ends with one. Results: JSON.
"""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pyarrow.csv import read_csv

from endcap import config as configuration
from endcap.bootstrap import interval, resampled
from endcap.config import Config
from endcap.data import backend
from endcap.data.dataset import prepare
from endcap.data.interactions import KIND_INDEX
from endcap.data.split import Queries, Split, split
from endcap.data.vocabulary import Floats
from endcap.evaluation import evaluate
from endcap.experiment import policy
from endcap.fitting import fit
from endcap.models import counting
from endcap.training import Task

DATA = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "retailrocket_multibehaviour"
GOAL = "purchase"
METRICS = ("ndcg@10", "hr@10")


def variants(table: pa.Table) -> dict[str, pa.Table]:
    """The events table as each of the three is told it."""
    place = table.column_names.index("kind")
    same = table.set_column(place, "kind", pa.array([GOAL] * len(table), table.schema.field("kind").type))
    return {"kinds": table, "no kinds": same, "purchases": table.filter(pc.equal(table["kind"], GOAL))}


def main() -> None:
    """Runs the comparison and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="popular,transitions,gru")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found: dict[tuple[str, str], dict[str, Floats]] = {}
    for model in options.models.split(","):
        document = {"data": {"events": str(DATA), "goal": GOAL}, "split": {"method": "given"}, "model": {"name": model}}
        configuration.override(document, options.set)
        config = configuration.check(document, "benchmark")
        dataset = prepare(backend.local(), config.data, config.clean, config.split)
        for name, table in variants(dataset.table).items():
            parts = split(table, GOAL)
            seeds = range(1 if counting(config.model) else options.seeds)
            runs = [run(config, parts, seed, options.part) for seed in seeds]
            found[model, name] = dict(zip(getattr(parts, options.part).user_ids, np.mean(runs, axis=0), strict=True))
            print(f"{model}, {name}: {len(parts.train.items):,} training events", file=sys.stderr)
    parts = split(dataset.table, GOAL)
    seen = known(dataset.table, options.part)
    about = {"part": options.part, "seeds": options.seeds, "changed": options.set, "views": views()}
    about["after a purchase"] = {part: after_purchase(getattr(parts, part)) for part in ("valid", "test")}
    json.dump({**about, "rows": rows(found, seen)}, sys.stdout, indent=1)
    print()


def run(config: Config, parts: Split, seed: int, part: str) -> Floats:
    """(questions, metrics) of one seed."""
    repeat, _ = policy(config.data, config.split.method, parts)
    fitted = fit(
        config.model, parts.train, parts.valid, replace(config.train, seed=seed), Task(GOAL, None, repeat),
        on_epoch=lambda epoch: print(f"epoch {epoch.epoch}: validation {epoch.metric:.4f}", file=sys.stderr),
    )  # fmt: skip
    evaluation = evaluate(fitted.model, getattr(parts, part), repeat=repeat)
    return np.stack([evaluation.metric(metric) for metric in METRICS], axis=1)


def known(table: pa.Table, part: str) -> set[str]:
    """Users whose answer was an event of somebody in training."""
    items = pc.unique(table.filter(pc.equal(table["part"], "train"))["item_id"])
    asked = table.filter(pc.equal(table["part"], part))
    return set(asked.filter(pc.is_in(asked["item_id"], items))["user_id"].to_pylist())


def views() -> dict[str, int]:
    """Of the source's own training files: purchases, those whose user viewed the product, and did so later."""
    bought, viewed = (read_csv(DATA / f"train_mat_{kind}.csv.gz") for kind in ("buy", "view"))
    both = bought.join(viewed, ["user", "item"], join_type="inner", right_suffix=" of the view")
    later = pc.sum(pc.greater(both["value of the view"], both["value"])).as_py()
    return {"purchases": len(bought), "viewed": len(both), "viewed later": later}


def after_purchase(queries: Queries) -> float:
    """The share of questions whose history ends with a purchase."""
    last = queries.histories.kinds[queries.histories.offsets[1:] - 1]
    return round(float((last == KIND_INDEX[GOAL]).mean()), 4)


def rows(found: dict[tuple[str, str], dict[str, Floats]], seen: set[str]) -> list[dict]:
    """A row per model and variant, and what kinds bring to each model: over the users that both are asked about."""
    result = []
    for (model, name), values in found.items():
        every, some = np.array(list(values.values())), np.array([values[user] for user in values if user in seen])
        result.append({"model": model, "told": name, "all": figures(every), "seen": figures(some)})
    for model in dict.fromkeys(model for model, _ in found):
        for other in ("no kinds", "purchases"):
            one, two = found[model, "kinds"], found[model, other]
            both = np.array([one[user] - two[user] for user in one if user in two])
            result.append({"model": model, "told": f"kinds - {other}", "all": figures(both)})
    return result


def figures(values: Floats) -> dict:
    """(users, metrics) -> means and their 95 % intervals."""
    result: dict = {"n": len(values)}
    for metric, column in zip(METRICS, values.T, strict=True):
        found = (column.mean(), *interval(resampled(column[:, None])[:, 0]))
        result[metric] = dict(zip(("mean", "low", "high"), (round(float(each), 4) for each in found), strict=True))
    return result


if __name__ == "__main__":
    main()
