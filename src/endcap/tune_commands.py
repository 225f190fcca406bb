"""The command `endcap tune`, and what it shows in the terminal."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from endcap import config as configuration
from endcap import screen, tuning_report
from endcap.data.dataset import prepare_locally
from endcap.data.errors import InputError
from endcap.describe import describe
from endcap.options import JsonOption
from endcap.results import plain
from endcap.search_space import is_range, targets
from endcap.tuning import Budget, Progress, Tuned, check_place
from endcap.tuning import tune as search

INTERRUPTED = 130
"""What a shell says of a command that Ctrl-C ended."""


def tune(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="As `endcap train` takes it; perhaps [tune].")],
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="The folder of the study; default: CONFIG-tune.")
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="In all, those of earlier calls counted.")] = 20,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Trials at a time, one thread each; default: one per core.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.0, help="No trial is started after that.")] = None,
    set: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Changes the TOML; repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find better parameters for a config, on validation alone; the test part is not looked at.

    The config as given is the first trial. Ends in OUT/best.toml for `endcap train`, OUT/card.md and OUT/tune.html.
    Ctrl-C ends it with what is done; the same command goes on.

    `endcap tune shop.toml runs/tuned`

    `endcap tune shop.toml runs/tuned --trials 60 --minutes 120 --processes 2`

    `endcap tune shop.toml runs/tuned --set 'tune.model.dim=[32, 64]' --json`
    """
    place = out or Path(f"{config.stem}-tune")
    document = configuration.read(config)
    configuration.override(document, set or [])
    settings = configuration.check(document, str(config))
    asked = document.get("tune", {})
    if not isinstance(asked, dict):
        raise InputError(f"found tune = {asked!r} in {config}; expected a table [tune]")
    aims = targets(settings, asked)
    check_place(place)  # before the long part
    with screen.steps() as step:
        dataset = prepare_locally(settings.data, settings.clean, settings.split, on_step=step)
        described = describe(settings, dataset, step)
    budget = Budget(trials, min(trials, processes or os.cpu_count() or 1), minutes)
    with _bars(budget) as on_progress:
        found = search(settings, aims, dataset, described, place, budget, on_progress=on_progress)
    with screen.steps() as step:
        step("writing the report")
        tuning_report.save(found, dataset, place)
    if as_json:
        print(json.dumps(plain(tuning_report.summary(found)), indent=2, allow_nan=False))
    else:
        for tuned in found.tuned:
            screen.out.print(_best(tuned))
        for sentence in tuning_report.gist(found):
            screen.out.print(escape(sentence), highlight=False)
        files = [place / name for name in ("best.toml", "card.md", "tune.html") if (place / name).exists()]
        screen.out.print(f"\n{', '.join(map(str, files))}", highlight=False, soft_wrap=True)
    ended = ", ".join(f"{len(tuned.trials)} of {trials} trials" for tuned in found.tuned)
    if found.stopped:
        screen.err.print(f"stopped after {ended}; the same command goes on from here", highlight=False)
        raise typer.Exit(INTERRUPTED)
    if found.best is None:
        raise InputError(_none(found.tuned, place))


def _none(tuned: list[Tuned], place: Path) -> str:
    """Why there is no best."""
    failed = [trial for each in tuned if not each.ranked for trial in each.trials if trial.message]
    if not failed:
        return "no trial was trained to its end; give more --minutes or --trials"
    return f"no trial was trained to its end; trial {failed[0].number}: {failed[0].message} (all: {place / 'card.md'})"


@contextmanager
def _bars(budget: Budget) -> Iterator[Callable[[Progress], None]]:
    """A bar for the trials of each study, and one for what each process does."""
    with Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=screen.err,
    ) as bars:
        studies: dict[str, Any] = {}
        workers: dict[int, Any] = {}

        def update(progress: Progress) -> None:
            if progress.study not in studies:
                studies[progress.study] = bars.add_task(f"{progress.study}: trials", total=budget.trials, note="")
            best = "" if math.isnan(progress.best) else f"best {progress.best:.4f}"
            bars.update(studies[progress.study], completed=min(progress.finished, budget.trials), note=best)
            if progress.worker not in workers:
                workers[progress.worker] = bars.add_task("", total=1, note="")
            said = "" if math.isnan(progress.metric) else f"validation {progress.metric:.4f}"
            if progress.state != "training":
                said = f"{progress.state} {said}".rstrip()
            bars.update(
                workers[progress.worker],
                description=f"  trial {progress.trial}",
                completed=progress.epoch if progress.state == "training" else progress.epochs,
                total=progress.epochs,
                note=said,
            )

        yield update


def _best(tuned: Tuned) -> Table:
    """The best few and the config as given, a column each."""
    metric = tuned.target.config.train.metric.upper()
    counts = ", ".join(f"{n} {state}" for state in ("done", "pruned", "failed") if (n := tuned.count(state)))
    table = Table(
        title=f"{escape(tuned.target.name)}: {len(tuned.trials)} trials ({counts})" if counts else "no trial ended",
        title_justify="left",
        box=box.SIMPLE,
        pad_edge=False,
    )
    shown = tuning_report.shown(tuned)
    table.add_column("trial")
    for trial in shown:
        table.add_column(f"{trial.number}{' given' if trial.given else ''}", justify="right")
    table.add_row(f"validation {metric}", *(f"{trial.value:.4f}" for trial in shown))
    for key, values in tuned.target.space.items():
        form = "{:.3g}" if is_range(values) else "{}"
        table.add_row(escape(key), *(escape(form.format(trial.values[key])) for trial in shown))
    table.add_row("seconds", *(f"{trial.seconds:.1f}" for trial in shown))
    return table
