"""The report of a comparison: one HTML file that opens offline, with plots inside, for light, dark and paper."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import altair as alt
from markupsafe import Markup

from endcap.evaluation import ACCURACY
from endcap.intents import WARNING
from endcap.page import COLOURS, INK, colour, environment, svg
from endcap.results import Result
from endcap.standings import MAIN, TESTED
from endcap.summary import Summary

PANEL = 330
"""Width of a plot, in pixels, of which two are beside each other."""

_PERIODS = ("day", "month", "year")

_LABELS = {
    "hr": "HR",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "recall": "recall",
    "coverage": "coverage",
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
    notes (texts), steps ({name, before, after, note}), audit ({check, ok, detail}).
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
    }
    models = [standing.model for standing in summary.standings]
    slices = _slices(own, models)
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
        leaderboard=_leaderboard(summary),
        cost=_cost(summary),
        curves=_curves(own, models),
        trained=[model for model in models if any(result.history for result in own if result.model == model)],
        slices=[table for table in slices if table["by"] not in _PERIODS],
        periods=[(table["by"], _periods(table, models)) for table in slices if table["by"] in _PERIODS],
        policies=_policies(own, models),
        refit=_refitted(results, models),
        accuracy=ACCURACY,
        main=MAIN,
        warning=WARNING,
        tested=TESTED,
        lists=[name for name in (own[0].metrics if own else {}) if name not in ACCURACY],
        chosen=_chosen(own, models),
        remarks=list(dict.fromkeys(f"{result.model}: {result.note}" for result in results if result.note)),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _leaderboard(summary: Summary) -> list[Markup]:
    """Dots with whiskers, a plot for each metric."""
    rows = [
        {
            "model": standing.model,
            "metric": metric.upper(),
            "mean": standing.metrics[metric],
            "low": standing.intervals[metric][0],
            "high": standing.intervals[metric][1],
        }
        for metric in TESTED
        for standing in summary.standings
    ]
    models = [standing.model for standing in summary.standings]
    panels = []
    for metric in TESTED:
        base = alt.Chart(alt.InlineData(values=[row for row in rows if row["metric"] == metric.upper()])).encode(
            y=alt.Y("model:N", sort=models, title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=colour("model", models),
        )
        title = f"{metric.upper()}, 95 % interval by user"
        rule = base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5)), x2="high:Q"
        )
        ends = [base.mark_tick(thickness=2, size=9).encode(x=f"{end}:Q") for end in ("low", "high")]
        point = base.mark_point(filled=True, size=70, opacity=1).encode(x="mean:Q")
        text = base.mark_text(dy=-10, fontSize=11, color=INK).encode(
            x="mean:Q", text=alt.Text("mean:Q", format=".4f"), color=alt.value(INK)
        )
        chart = alt.layer(rule, *ends, point, text).properties(width=PANEL, height=38 * len(models))
        said = ", ".join(
            f"{row['model']} {row['mean']:.4f} ({row['low']:.4f} to {row['high']:.4f})"
            for row in rows
            if row["metric"] == metric.upper()
        )
        panels.append(svg(chart, f"Leaderboard: test {metric.upper()} with intervals: {said}."))
    return panels


def _cost(summary: Summary) -> Markup:
    rows = [
        {
            "model": standing.model,
            "seconds": max(standing.train_seconds, 0.01),  # the axis is logarithmic
            "mean": standing.metrics[MAIN],
            "low": standing.intervals[MAIN][0],
            "high": standing.intervals[MAIN][1],
        }
        for standing in summary.standings
    ]
    models = [standing.model for standing in summary.standings]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "seconds:Q",
            title="seconds of training (log scale)",
            scale=alt.Scale(type="log", padding=40),
            axis=alt.Axis(values=[10.0**power for power in range(-2, 8)], format="~g"),
        ),
        color=colour("model", models),
    )
    rule = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
        y=alt.Y("low:Q", title=f"test {MAIN.upper()}", scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5)),
        y2="high:Q",
    )
    point = base.mark_point(filled=True, size=80, opacity=1).encode(y="mean:Q")
    text = base.mark_text(dx=9, align="left", fontSize=12).encode(y="mean:Q", text="model:N", color=alt.value(INK))
    said = "; ".join(f"{row['model']} {row['mean']:.4f} after {_value(row['seconds'])} s" for row in rows)
    chart = (rule + point + text).properties(width=PANEL, height=220)
    return svg(chart, f"Quality against seconds of training: {said}.")


def _curves(results: Sequence[Result], models: Sequence[str]) -> list[Markup]:
    """Loss and validation metric of every epoch, a plot for each; none where nothing was trained by epochs."""
    rows = [
        {"run": f"{result.model} {result.seed}", "model": result.model, **epoch}
        for result in results
        for epoch in result.history
        if not math.isnan(epoch["loss"])
    ]
    if not rows:
        return []
    shown = [model for model in models if any(row["model"] == model for row in rows)]
    last = max(row["epoch"] for row in rows)
    epochs = list(range(1, last + 1, math.ceil(last / 10)))
    panels = []
    for field, title in (("loss", "training loss"), ("metric", "validation metric")):
        values = [row for row in rows if not math.isnan(row[field])]
        line = (
            alt.Chart(alt.InlineData(values=values))
            .mark_line(point=alt.OverlayMarkDef(size=18, filled=True), strokeWidth=1.8)
            .encode(
                x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(values=epochs, format="d")),
                y=alt.Y(
                    f"{field}:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5, format=".4~g")
                ),
                detail="run:N",
                color=colour("model", models),
            )
        )
        said = f"Learning curves of {', '.join(shown)}: {title} per epoch, a line per seed."
        panels.append(svg(line.properties(width=PANEL, height=220), said))
    return panels


def _periods(table: Mapping[str, Any], models: Sequence[str]) -> Markup:
    """The slices by day, month or year as lines."""
    rows = [
        {"name": row["name"], "model": model, "mean": mean, "n": row["n"]}
        for row in table["rows"]
        for model, mean in zip(models, row["means"], strict=True)
        if not math.isnan(mean)
    ]
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=alt.OverlayMarkDef(size=22, filled=True), strokeWidth=1.8)
        .encode(
            x=alt.X("name:O", title=table["by"], axis=alt.Axis(labelAngle=-40, labelOverlap=True)),
            y=alt.Y("mean:Q", title=MAIN.upper(), axis=alt.Axis(tickCount=5)),
            color=colour("model", models),
        )
        .properties(width=800, height=220)
    )
    first, last = table["rows"][0], table["rows"][-1]
    return svg(chart, f"{MAIN.upper()} by {table['by']} from {first['name']} to {last['name']}, a line per model.")


def _slices(results: Sequence[Result], models: Sequence[str]) -> list[dict[str, Any]]:
    """A heat table for each way to slice: {by, rows: [{name, n, cells: [(value, share of the largest)]}]}."""
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
            row["cells"] = [
                (mean, mean / largest if largest and not math.isnan(mean) else 0.0) for mean in row["means"]
            ]
        tables.append({"by": by, "rows": rows})
    return tables


def _policies(results: Sequence[Result], models: Sequence[str]) -> list[dict[str, Any]]:
    """All metrics twice, seen items masked and allowed: [{masked, used, rows: [{model, metrics}]}]."""
    tables = []
    for masked in (True, False):
        rows = []
        for model in models:
            runs = [
                result.metrics if result.masked == masked else result.other["metrics"]
                for result in results
                if result.model == model and (result.masked == masked or result.other.get("masked") == masked)
            ]
            if runs:
                rows.append({"model": model, "metrics": {name: _mean([run[name] for run in runs]) for name in runs[0]}})
        if rows:
            tables.append({"masked": masked, "used": any(result.masked == masked for result in results), "rows": rows})
    return sorted(tables, key=lambda table: not table["used"])


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
