"""What a comparison leaves for people and programs: summary.json and report.html."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from endcap.compare import Comparison, account
from endcap.config import Config
from endcap.data.dataset import Dataset
from endcap.data.places import write
from endcap.describe import Described
from endcap.examples import examples
from endcap.made_by import made_by
from endcap.report import render


def publish(
    comparison: Comparison, dataset: Dataset, configs: Sequence[Config], described: Described | None, out: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Writes both files into `out`, where the models of the comparison lie; returns the summary and the examples.

    Examples are of the models that were asked for, of the chosen one and of the one that is as good and cheaper.
    """
    strict = comparison.summaries["strict"]
    named = {config.model.name for config in configs} | {strict.chosen, strict.cheaper or strict.chosen}
    there = {result.model for result in comparison.results}
    shown = examples(dataset, out / "models", of=strict.chosen, only=sorted(named & there))
    summary = {protocol: each.to_dict() for protocol, each in comparison.summaries.items()}
    write(out / "summary.json", json.dumps(summary, indent=2))
    facts = account(dataset, configs[0], described) | {"made_by": made_by(configs, dataset)}
    page = render(strict, comparison.results, facts, shown)
    write(out / "report.html", page)
    return summary, shown
