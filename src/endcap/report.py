"""The report of a comparison: one HTML file that opens offline, with plots inside, for light, dark and paper."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from endcap import report_plots as plots
from endcap.bootstrap import wilson
from endcap.evaluation import ACCURACY
from endcap.intents import WARNING
from endcap.page import COLOURS, SHAPES, environment, mark
from endcap.results import Result
from endcap.standings import MAIN, TESTED
from endcap.summary import Summary

_PERIODS = ("day", "month", "year")

_BETTER = {
    "calibration": "lower",
    "gini": "lower",
    "missed_never_in_training": "lower",
    "popularity_bias": "nearer to 0",
}
"""What is better of a metric where that is not higher."""
_ARROWS = {"higher": "↑", "lower": "↓", "nearer to 0": "→0"}

_LABELS = {
    "hr": "HR",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "recall": "recall",
    "coverage": "coverage",
    "group_coverage": "coverage, colours of one as one",
    "group_diversity": "different products in a list",
    "novelty": "novelty, bits",
    "diversity": "diversity",
    "spread": "unlikeness in a list",
    "popularity_bias": "popularity bias",
    "calibration": "calibration, KL",
    "gini": "Gini of exposure",
    "missed_never_in_training": "never in training",
}


def render(
    summary: Summary,
    results: Sequence[Result],
    facts: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]],
) -> str:
    """The page as text.

    summary: of the strict results; results: all of them, refitted ones too.
    facts: what is known of the data, each part optional: data, columns, protocol (dictionaries of name and value),
    made_by (see made_by.py), notes (texts), steps ({name, before, after, note}), audit ({check, ok, detail}).
    examples: {user, of, outcome, place, history: [{id, title, photo, kind, time}], answers: [{id, title, photo}],
    models: {name: [{id, title, photo}]}}; a photo is an address, or None; place: of the first answer on the list of the
    model `of`, 0 where it is not there.
    """
    own = [result for result in results if result.protocol == summary.protocol]
    page = environment()
    page.filters |= {
        "number": _number,
        "figure": _figure,
        "day": _day,
        "value": _value,
        "label": _label,
        "signed": _signed,
        "better": lambda name: _BETTER.get(name.partition("@")[0], "higher"),
        "of_lists": _of_lists,
    }
    models = [standing.model for standing in summary.standings]
    parts = {result.model for result in own if result.part_of}
    followed = [model for model in models if model not in parts or model in (summary.chosen, summary.cheaper)]
    slices = _slices(own, followed)
    return page.get_template("report.html").render(
        summary=summary,
        facts=facts,
        examples=[{**user, "models": _in_order(user["models"], models)} for user in examples],
        pictured=any(
            line["photo"]
            for user in examples
            for own in (user["history"], user["answers"], *user["models"].values())
            for line in own
        ),
        colours={model: f"c{place % len(COLOURS)}" for place, model in enumerate(models)},
        shapes={model: SHAPES[mark(place)] for place, model in enumerate(models)},
        leaderboard=plots.leaderboard(summary),
        cost=plots.cost(summary),
        curves=plots.curves(own, models),
        slices=[table for table in slices if table["by"] not in _PERIODS and len(table["rows"]) > 1],
        periods=[
            (table["by"], plots.periods(table, models))
            for table in slices
            if table["by"] in _PERIODS and len(table["rows"]) > 1
        ],
        policies=_policies(own, models),
        refit=_refitted(results, models),
        accuracy=ACCURACY,
        main=MAIN,
        arrows=_ARROWS,
        warning=WARNING,
        tested=TESTED,
        lists=[name for name in (own[0].metrics if own else {}) if name not in ACCURACY],
        chosen=_chosen(own, models),
        remarks=list(dict.fromkeys(f"{result.model}: {result.note}" for result in results if result.note)),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _slices(results: Sequence[Result], models: Sequence[str]) -> list[dict[str, Any]]:
    """A heat table for each way to slice: {by, models, rows: [{name, n, means, cells: [{mean, low, high, share}]}]}.

    share: of the largest mean of the table, fading with the number of questions; the interval is Wilson's bound.
    """
    found: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
    for result in results:
        for line in result.slices:
            found.setdefault(line["by"], {}).setdefault(line["name"], {}).setdefault(result.model, []).append(line)
    tables = []
    for by, names in found.items():
        rows = []
        for name, lines in names.items():
            means = [_mean([line[MAIN] for line in lines.get(model, [])]) for model in models]
            rows.append({"name": name, "n": next(iter(lines.values()))[0]["n"], "means": means})
        largest = max((mean for row in rows for mean in row["means"] if not math.isnan(mean)), default=0.0)
        for row in rows:
            row["few"] = row["n"] < FEW
            row["cells"] = [_cell(mean, row["n"], largest) for mean in row["means"]]
        tables.append({"by": by, "models": models, "rows": rows})
    return tables


FEW = 30
"""Questions below which a slice has no shade: its figure may be anything."""


def _cell(mean: float, n: int, largest: float) -> dict[str, float]:
    low, high = wilson(mean, n)
    share = mean / largest if largest and n >= FEW and not math.isnan(mean) else 0.0
    return {"mean": mean, "low": low, "high": high, "share": share * n / (n + FEW)}


def _policies(results: Sequence[Result], models: Sequence[str]) -> list[dict[str, Any]]:
    """All metrics twice, seen items masked and allowed: [{masked, used, rows: [{model, metrics}], best}]."""
    tables = []
    for masked in (True, False):
        rows: list[dict[str, Any]] = []
        for model in models:
            runs = [
                result.metrics if result.masked == masked else result.other["metrics"]
                for result in results
                if result.model == model and (result.masked == masked or result.other.get("masked") == masked)
            ]
            if runs:
                rows.append({"model": model, "metrics": {name: _mean([run[name] for run in runs]) for name in runs[0]}})
        if rows:
            used = any(result.masked == masked for result in results)
            tables.append({"masked": masked, "used": used, "rows": rows, "best": _best(rows)})
    return sorted(tables, key=lambda table: not table["used"])


def _best(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The best value of each metric on which models differ."""
    best = {}
    for name in rows[0]["metrics"]:
        known = [row["metrics"][name] for row in rows if not math.isnan(row["metrics"].get(name, math.nan))]
        if len(set(known)) > 1:
            better = _BETTER.get(name.partition("@")[0], "higher")
            best[name] = max(known) if better == "higher" else min(known, key=abs)
    return best


def _refitted(results: Sequence[Result], models: Sequence[str]) -> list[dict[str, Any]]:
    """[{model, strict, refit}] the metrics under both protocols, where there are both."""
    rows = []
    for model in models:
        both = {
            protocol: [result.metrics for result in results if (result.model, result.protocol) == (model, protocol)]
            for protocol in ("strict", "refit")
        }
        if both["strict"] and both["refit"]:
            rows.append(
                {"model": model}
                | {
                    protocol: {name: _mean([run[name] for run in runs]) for name in TESTED}
                    for protocol, runs in both.items()
                }
            )
    return rows


def _of_lists(value: float, name: str, items: int) -> str:
    """A metric of lists: how many products are shown at all, the others as they are read best."""
    if name.startswith("coverage") and not math.isnan(value):
        return f"{value * items:,.0f} of {items:,}"
    return _number(value) if name.startswith("gini") else _figure(value)


def _chosen(results: Sequence[Result], models: Sequence[str]) -> list[tuple[str, int, str]]:
    """What validation chose for each run: (model, seed, text)."""
    return [
        (result.model, result.seed, ", ".join(f"{name} {_value(value)}" for name, value in result.chosen.items()))
        for model in models
        for result in results
        if result.model == model and result.chosen
    ]


def _in_order(lists: Mapping[str, Any], models: Sequence[str]) -> dict[str, Any]:
    """The same lists, models in the order of the leaderboard."""
    known = {model: lists[model] for model in models if model in lists}
    return known | {model: items for model, items in lists.items() if model not in known}


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _number(value: float) -> str:
    """A metric: four places, or a dash where it is not known."""
    return "–" if math.isnan(value) else f"{value:.4f}"


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.4f}".replace("-", "−")


def _figure(value: float) -> str:
    """A count, a cost: three digits that matter, thousands apart."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def _value(value: Any) -> str:
    """Whatever the facts hold."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _figure(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(each) for each in value)
    return str(value)


def _label(metric: str) -> str:
    """How a table's head says a metric."""
    name, at, k = metric.partition("@")
    return f"{_LABELS[name]}{at}{k}" if metric in ACCURACY else _LABELS.get(name, metric)


def _day(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return ""
