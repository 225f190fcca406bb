"""What the terminal shows: tables, progress bars, one line per problem. Programs read --json instead."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from endcap.compare import Progress as RunProgress
from endcap.data.advice import Advice
from endcap.data.check import Summary as CheckSummary
from endcap.data.dataset import Dataset
from endcap.data.sources.tables import Tables
from endcap.doctor import Finding
from endcap.examples import Recommendation
from endcap.intents import WARNING
from endcap.results import Result
from endcap.summary import Summary
from endcap.training import Epoch

out = Console()
err = Console(stderr=True)
"""Progress and errors go here, so that standard output stays readable by programs."""

MAIN_METRICS = ("hr@10", "ndcg@10", "mrr@20", "coverage@10")


@contextmanager
def steps() -> Iterator[Any]:
    """A spinner with the name of the step that is being done: call it with each name."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as bars:
        task = bars.add_task("starting", total=None)
        yield lambda name: bars.update(task, description=name)


@contextmanager
def runs() -> Iterator[Any]:
    """A bar for each run of a comparison: call it with each RunProgress."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=err,
    )
    tasks: dict[str, Any] = {}

    def update(progress: RunProgress) -> None:
        if progress.run not in tasks:
            tasks[progress.run] = bar.add_task(progress.run, total=max(progress.epochs, 1), start=False, note="waiting")
        task = tasks[progress.run]
        match progress.state:
            case "training":
                if not progress.epoch:
                    bar.start_task(task)
                note = "fitting" if math.isnan(progress.metric) else f"validation {progress.metric:.4f}"
                bar.update(task, completed=progress.epoch, note=note)
            case "done" | "skipped":
                total = bar.tasks[task].completed or 1
                note = "unchanged: skipped" if progress.state == "skipped" else "done"
                bar.update(task, completed=total, total=total, note=note)
                bar.stop_task(task)

    with bar:
        yield update


@contextmanager
def epochs(total: int) -> Iterator[Any]:
    """One bar for one training: call it with each Epoch."""
    with Progress(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=err,
    ) as bars:
        task = bars.add_task("training", total=total, note="")

        def update(epoch: Epoch) -> None:
            note = f"loss {epoch.loss:.3f}  validation {epoch.metric:.4f}  {epoch.events_per_second:,.0f} events/s"
            bars.update(task, completed=epoch.epoch, note=note)

        yield update


def leaderboard(results: Sequence[Result]) -> Table:
    """A line per model, best on validation first, of equal ones by name; the mean over seeds. It fits 80 columns."""
    runs: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        runs.setdefault((result.protocol, result.model), []).append(result)
    means = {
        run: {name: _mean([each.metrics[name] for each in own]) for name in MAIN_METRICS} for run, own in runs.items()
    }
    valid = {run: _mean([each.valid for each in own]) for run, own in runs.items()}
    best = max((each["ndcg@10"] for each in means.values()), default=0.0)
    table = Table(
        title=f"Test part, full ranking, {results[0].questions:,} questions",
        title_justify="left", box=box.SIMPLE, padding=0, show_edge=False, pad_edge=False,
    )  # fmt: skip
    table.add_column("model", overflow="fold")
    for name in ("valid", *(_HEADS.get(name, name) for name in MAIN_METRICS), "fit, s", "MB"):
        table.add_column(name, justify="right", no_wrap=True)
        if name == "ndcg@10":
            table.add_column("", no_wrap=True)
    for run in sorted(runs, key=lambda run: (run[0] != "strict", math.isnan(valid[run]), -valid[run], run[1])):
        protocol, model = run
        cells = [f"{mean:.4f}" for mean in means[run].values()]
        cells.insert(1 + list(means[run]).index("ndcg@10"), _bar(means[run]["ndcg@10"], best))
        seconds, memory = (
            _mean([getattr(each, name) for each in runs[run]]) for name in ("train_seconds", "peak_rss_mb")
        )
        table.add_row(
            model if protocol == "strict" else f"{model} ({protocol})",
            "–" if math.isnan(valid[run]) else f"{valid[run]:.4f}",
            *cells,
            f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.1f}",
            "–" if math.isnan(memory) else f"{memory:,.0f}",
        )
    return table


_HEADS = {"coverage@10": "cov@10"}
BAR = 6
"""Columns of the longest bar."""


def _bar(value: float, best: float) -> str:
    return "▇" * max(round(BAR * value / best), value > 0) if best > 0 else ""


def recommendations(lines: Sequence[Recommendation], title: str) -> Table:
    """One list."""
    table = Table(title=escape(title), title_justify="left")
    table.add_column("#", justify="right")
    table.add_column("item")
    table.add_column("title")
    table.add_column("score", justify="right")
    for place, line in enumerate(lines, start=1):
        table.add_row(str(place), escape(line.id), escape(line.title), f"{line.score:.3f}")
    return table


def facts(pairs: dict[str, Any], title: str) -> Table:
    """Names and values."""
    table = Table(title=escape(title), title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, value in pairs.items():
        table.add_row(escape(str(name)), escape(str(value)))
    return table


MARKS = {"well": "[green]✓[/green]", "absent": "[dim]–[/dim]", "wrong": "[red]✗[/red]"}


def findings(found: Sequence[Finding]) -> None:
    """What `endcap doctor` found, a line each."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for name in ("mark", "name", "text"):
        table.add_column(name, style="bold" if name == "name" else "", overflow="fold")
    for each in found:
        table.add_row(MARKS[each.state], escape(each.name), escape(each.text))
    out.print(table)


def check(tables: Tables, summary: CheckSummary, advice: Sequence[Advice] = ()) -> None:
    """What `endcap check` found."""
    out.print(facts(tables.columns, f"read as {tables.format}"))
    for note in (*tables.notes, *summary.notes):
        out.print(f"· {escape(note)}", highlight=False)
    pairs: dict[str, Any] = {
        "rows read": f"{summary.rows_read:,}",
        "events that can be used": f"{summary.events:,}",
        "by kind": ", ".join(f"{kind} {n:,}" for kind, n in summary.kinds.items()),
        "users": f"{summary.users:,} ({summary.users_with_one_event:,} with one event)",
        "items": f"{summary.items:,}",
        "filled cells": f"{summary.density:.4%} of users x items",
        "time": "none" if summary.first_time is None else f"{_date(summary.first_time)} to {_date(summary.last_time)}",
        "clocks": f"{summary.resolution}; {summary.ties:.0%} of events at the same time as another of their user",
        "exact duplicates": f"{summary.duplicates:,}",
        "near duplicates": f"{summary.near_duplicates:,}",
        "repeats": f"{summary.repeat_share:.1%} of events repeat the user's own item",
        "suspected bots": f"{summary.n_suspects:,}",
    }
    if summary.catalogue is not None:
        pairs["catalogue"] = f"{summary.catalogue:,} items"
        pairs["not in the catalogue"] = f"{summary.unknown_items:,} items, {summary.unknown_share or 0:.1%} of events"
    out.print(facts(pairs, "the log"))
    for suspect in summary.suspects:
        out.print(f"bot? {escape(suspect.user_id)}: {escape(suspect.why)}", highlight=False)
    if summary.problem_sorts:
        _problems(summary)
    for each in advice:
        options = f": {' '.join(each.options)}" if each.options else ""
        out.print(f"→ {escape(each.text)}[bold]{escape(options)}[/bold]", highlight=False, soft_wrap=True)
    out.print(f"{'can be used' if summary.usable else 'cannot be used'}: {escape(summary.reason)}", highlight=False)


def _problems(summary: CheckSummary) -> None:
    sorts = Table(title="problems", title_justify="left")
    for name in ("column", "problem"):
        sorts.add_column(name)
    sorts.add_column("rows", justify="right")
    for sort in summary.problem_sorts:
        sorts.add_row(escape(sort.column), escape(sort.problem), f"{sort.rows:,}")
    out.print(sorts)
    rows = Table(title=f"the first {len(summary.problems)} (every one: --problems FILE.csv)", title_justify="left")
    rows.add_column("row", justify="right")
    for name in ("column", "value", "problem"):
        rows.add_column(name)
    for problem in summary.problems:
        value = str(problem["value"])
        rows.add_row(
            *(
                escape(str(each))
                for each in (
                    problem["row"],
                    problem["column"],
                    value if len(value) <= 60 else value[:57] + "...",
                    problem["problem"],
                )
            )
        )
    out.print(rows)


def dataset(prepared: Dataset) -> None:
    """How a log was read and cleaned, so that it can be corrected."""
    given = prepared.facts
    read = ", ".join(f"{ours} = {theirs}" for ours, theirs in given["columns"].items())
    out.print(f"read as {given['format']}: {given['rows']:,} rows; {escape(read)}", highlight=False)
    for note in given["notes"]:
        out.print(f"· {escape(note)}", highlight=False)
    if prepared.apart:
        out.print(f"· {escape(prepared.apart)}", highlight=False)
    for step in given["steps"]:
        out.print(f"· {step['name']}: {step['before']:,} → {step['after']:,} ({escape(step['note'])})", highlight=False)


def verdict(summary: Summary) -> None:
    """Which model to use, and why."""
    out.print()
    for sentence in summary.verdict:
        out.print(escape(sentence), highlight=False, style="bold red" if sentence.startswith(WARNING) else None)


def examples(shown: Sequence[dict[str, Any]]) -> None:
    """What a few users had and did next, and what each model would show them."""
    for example in shown:
        had, then = ("; ".join(line["title"] for line in example[name]) for name in ("history", "answers"))
        place = f"place {example['place']} of {example['of']}" if example["place"] else f"missed by {example['of']}"
        user = escape(str(example["user"]))
        out.print(f"\n[bold]{user}[/bold] ({escape(place)}) had, latest last: {escape(had)}", highlight=False)
        out.print(f"✓ then: {escape(then)}", highlight=False)
        table = Table()
        for name in example["models"]:
            table.add_column(name, overflow="fold")
        answers = {line["id"] for line in example["answers"]}
        for row in zip_longest(*example["models"].values()):  # where little may be shown, lists are shorter
            table.add_row(
                *(
                    ("[green]✓[/green] " if line["id"] in answers else "") + escape(line["title"]) if line else ""
                    for line in row
                )
            )
        out.print(table)
    if shown:
        out.print(
            "Drawn by outcome: an answer at the head of the list, one in its second half, one missed", highlight=False
        )


def _date(seconds: float | None) -> str:
    return "?" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
