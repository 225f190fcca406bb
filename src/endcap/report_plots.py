"""The plots of a comparison's report: each model has a colour, a shape and a dash, and its name beside its point."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from endcap.page import INK, QUIET, colour, dash, dodged, shape, svg
from endcap.results import Result
from endcap.standings import MAIN, TESTED
from endcap.summary import Summary

PANEL = 330
"""Width of a plot, in pixels, of which two are beside each other."""
HEIGHT = 240
ROW = 38
"""Height of a model's line in the leaderboard."""
LABEL = 15
"""Pixels between two names, one above the other."""


def leaderboard(summary: Summary) -> list[Markup]:
    """Dots with whiskers, a plot for each metric."""
    models = [standing.model for standing in summary.standings]
    panels = []
    for metric in TESTED:
        rows = [
            {
                "model": standing.model,
                "mean": standing.metrics[metric],
                "low": standing.intervals[metric][0],
                "high": standing.intervals[metric][1],
            }
            for standing in summary.standings
        ]
        base = alt.Chart(alt.InlineData(values=rows)).encode(
            y=alt.Y("model:N", sort=models, title=None, axis=alt.Axis(ticks=False, domain=False)),
            color=colour("model", models),
        )
        title = f"{metric.upper()}, 95 % interval by user"
        rule = base.mark_rule(strokeWidth=2).encode(
            x=alt.X("low:Q", title=title, scale=alt.Scale(zero=True), axis=alt.Axis(tickCount=5)), x2="high:Q"
        )
        ends = [base.mark_tick(thickness=2, size=9).encode(x=f"{end}:Q") for end in ("low", "high")]
        point = base.mark_point(filled=True, size=70, opacity=1).encode(x="mean:Q", shape=shape("model", models))
        text = base.mark_text(dy=-10, fontSize=11, color=INK).encode(
            x="mean:Q", text=alt.Text("mean:Q", format=".4f"), color=alt.value(INK)
        )
        chart = alt.layer(rule, *ends, point, text).properties(width=PANEL, height=ROW * len(models))
        said = ", ".join(f"{row['model']} {row['mean']:.4f} ({row['low']:.4f} to {row['high']:.4f})" for row in rows)
        panels.append(svg(chart, f"Leaderboard: test {metric.upper()} with intervals: {said}."))
    return panels


def cost(summary: Summary) -> Markup:
    """Quality against seconds; names stand at the right, with a line to their point."""
    rows: list[dict[str, Any]] = [
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
    known = [row["seconds"] for row in rows]
    first, last = (10.0**each for each in (math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)) + 0.1)))
    top = max([row["high"] for row in rows if not math.isnan(row["high"])] + [row["mean"] for row in rows]) or 1.0
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "seconds:Q",
            title="seconds of training (log scale)",
            scale=alt.Scale(type="log", domain=[first, last], nice=False),
            axis=alt.Axis(values=[10.0**power for power in range(-2, 8)], format="~g"),
        ),
        color=colour("model", models),
    )
    y = alt.Scale(domain=[0, top], nice=False)
    rule = base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
        y=alt.Y("low:Q", title=f"test {MAIN.upper()}", scale=y, axis=alt.Axis(tickCount=5)), y2="high:Q"
    )
    point = base.mark_point(filled=True, size=80, opacity=1).encode(y="mean:Q", shape=shape("model", models))
    ends = [(row["model"], row["seconds"], row["mean"]) for row in rows]
    chart = alt.layer(rule, point, *_named(ends, last, (0, top), "seconds")).properties(width=PANEL, height=HEIGHT)
    said = "; ".join(f"{row['model']} {row['mean']:.4f} after {row['seconds']:.3g} s" for row in rows)
    return svg(chart, f"Quality against seconds of training: {said}.")


def _named(ends: Sequence[tuple[str, Any, float]], right: Any, domain: tuple[float, float], x: str) -> list[alt.Chart]:
    """Names right of the plot, none over another, each with a thin line to its point: (name, x, y).

    right: where the plot ends; domain: of y; x: the field of x, quantitative where `right` is a number.
    """
    low, high = domain
    room = HEIGHT / (high - low) if high > low else 1.0
    texts = dodged([(y - low) * room for _, _, y in ends], LABEL)
    rows = [
        {"label": name, "end": right, x: place, "y": y, "at": low + text / room}
        for (name, place, y), text in zip(ends, texts, strict=True)
    ]
    kind = "Q" if isinstance(right, int | float) else "O"
    base = alt.Chart(alt.InlineData(values=rows))
    scale = alt.Scale(domain=[low, high], nice=False)
    line = base.mark_rule(strokeWidth=0.75, color=QUIET, opacity=0.6, clip=False).encode(
        x=f"{x}:{kind}", x2="end", y=alt.Y("y:Q", scale=scale), y2="at"
    )
    text = base.mark_text(dx=6, align="left", fontSize=12, clip=False).encode(
        x=f"end:{kind}", y=alt.Y("at:Q", scale=scale), text="label:N", color=alt.value(INK)
    )
    return [line, text]


def curves(results: Sequence[Result], models: Sequence[str]) -> list[Markup]:
    """Loss and validation metric of every epoch, a plot for each; none where nothing was trained by epochs.

    Of a hybrid the lines are its networks', each by its own name: one after the other they are no curve.
    """
    whole = {result.part_of for result in results if result.part_of and result.history}
    shown = [result for result in results if result.history and result.model not in whole]
    rows = [
        {"run": f"{result.model} {result.seed}", "model": result.model, **epoch}
        for result in shown
        for epoch in result.history
        if not math.isnan(epoch["loss"])
    ]
    if not rows:
        return []
    named = [model for model in models if any(row["model"] == model for row in rows)]
    samples = sorted({result.curve for result in shown if result.curve})
    last = max(row["epoch"] for row in rows)
    metric = " or ".join(samples) or "validation metric"
    return [
        _curve(rows, models, named, field, title, last)
        for field, title in (("loss", "training loss"), ("metric", metric))
    ]


def _curve(
    rows: Sequence[Mapping[str, Any]], models: Sequence[str], named: Sequence[str], field: str, title: str, last: int
) -> Markup:
    values = [row for row in rows if not math.isnan(row[field])]
    low, high = _domain([row[field] for row in values])
    line = (
        alt.Chart(alt.InlineData(values=values))
        .mark_line(strokeWidth=1.8)
        .encode(
            x=alt.X(
                "epoch:Q",
                title="epoch",
                scale=alt.Scale(domain=[1, max(last, 2)], nice=False),
                axis=alt.Axis(values=list(range(1, last + 1, math.ceil(last / 10))), format="d"),
            ),
            y=alt.Y(
                f"{field}:Q",
                title=textwrap.wrap(title, 30),  # no longer than the axis
                scale=alt.Scale(domain=[low, high], nice=False),
                axis=alt.Axis(tickCount=5, format=".4~g"),
            ),
            detail="run:N",
            color=colour("model", models),
            strokeDash=dash("model", models),
        )
    )
    points = line.mark_point(filled=True, size=24, opacity=1).encode(
        strokeDash=alt.value([1, 0]), shape=shape("model", models)
    )
    ends = [next(row for row in reversed(values) if row["model"] == model) for model in named]
    names = _named([(row["model"], row["epoch"], row[field]) for row in ends], max(last, 2), (low, high), "epoch")
    chart = alt.layer(line, points, *names).properties(width=PANEL, height=HEIGHT)
    return svg(chart, f"Learning curves of {', '.join(named)}: {title} per epoch, a line per seed.")


def periods(table: Mapping[str, Any], models: Sequence[str]) -> Markup:
    """The slices by day, month or year as lines; models: all of them, for their colours."""
    rows = [
        {"name": row["name"], "model": model, "mean": mean, "n": row["n"]}
        for row in table["rows"]
        for model, mean in zip(table["models"], row["means"], strict=True)
        if not math.isnan(mean)
    ]
    low, high = 0.0, max((row["mean"] for row in rows), default=0.0) * 1.05 or 1.0
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("name:O", title=table["by"], axis=alt.Axis(labelAngle=-40, labelOverlap=True)),
        y=alt.Y(
            "mean:Q", title=MAIN.upper(), scale=alt.Scale(domain=[low, high], nice=False), axis=alt.Axis(tickCount=5)
        ),
        color=colour("model", models),
    )
    line = base.mark_line(strokeWidth=1.8).encode(strokeDash=dash("model", models))
    points = base.mark_point(filled=True, size=26, opacity=1).encode(shape=shape("model", models))
    last = {row["model"]: row for row in rows}
    end = max(row["name"] for row in rows)
    names = _named([(model, row["name"], row["mean"]) for model, row in last.items()], end, (low, high), "name")
    chart = alt.layer(line, points, *names).properties(width=720, height=HEIGHT)
    first = table["rows"][0]["name"]
    return svg(chart, f"{MAIN.upper()} by {table['by']} from {first} to {table['rows'][-1]['name']}, a line per model.")


def _domain(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the most, with a margin."""
    low, high = min(values), max(values)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 0.1
    return low - margin, high + margin
