"""The commands `endcap experiment` and `endcap update`: what measures and renews a model that is being served."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from endcap import screen
from endcap.abtest import Report, report
from endcap.bootstrap import Interval
from endcap.choices import judged
from endcap.data.errors import InputError
from endcap.engine.version import Version
from endcap.exposure import CLICKS
from endcap.options import JsonOption
from endcap.replay import Estimate
from endcap.serve.commands import DbOption, database_of
from endcap.store.errors import Unavailable
from endcap.store.store import Store
from endcap.training import Epoch
from endcap.trial import METRICS, Compared
from endcap.update import Update
from endcap.update import update as renew

OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The artifact that `endcap serve` was given.")]


def experiment(
    out: OutArgument,
    db: DbOption = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M"], help="Lists from then on; UTC.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Which experiment; default: the latest.")] = None,
    replay: Annotated[
        Path | None, typer.Option("--replay", metavar="CANDIDATE", help="An artifact to replay the log with.")
    ] = None,
    reward: Annotated[Literal["click", "purchase"], typer.Option(help="What --replay counts.")] = "click",
    as_json: JsonOption = False,
) -> None:
    """Compare the arms of an A/B test, or replay logged lists with a candidate that nobody has seen yet.

    `endcap experiment runs/shop`

    `endcap experiment runs/shop --db postgresql://shop@localhost/shop --since 2026-11-01 --json`

    `endcap experiment runs/shop --replay runs/candidate --reward purchase`
    """
    start = None if since is None else since.replace(tzinfo=UTC).timestamp()
    with opened(out, db) as store, screen.steps() as step:
        step("reading the log")
        named = store.events_of_lists(since=start)
        if replay is None:
            role = store.models(out.resolve().name).get("candidate", {})
            found: Report | Estimate = report(
                store.shown(since=start), store.events_table(since=start), named, experiment=name,
                share=role.get("share"), share_since=role.get("since", math.inf),
            )  # fmt: skip
        else:
            step("reading the candidate")
            changes = [change for change in store.items_since(0) if change.row is not None]  # they were there then
            version = Version.load(replay).with_changes(changes, store)
            step("replaying")
            kinds = CLICKS if reward == "click" else ("purchase",)
            found = judged(version, store.shown(since=start), store.events_table(), named, kinds=kinds)
    if as_json:
        _print(found.to_dict())
    elif isinstance(found, Report):
        _show_report(found)
    else:
        _show_estimate(found, f"{replay} on lists that were shown, by {reward}s")


def update(
    out: OutArgument,
    db: DbOption = None,
    days: Annotated[float, typer.Option(min=0.01, help="The newest days, which decide.")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Train and compare, change nothing.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Start from nothing, not from the live model.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train the live model on from the events in the database, and make it live unless it is worse.

    `endcap update runs/shop`

    `endcap update runs/shop --db postgresql://shop@localhost/shop --days 7 --dry-run --json`
    """
    with opened(out, db) as store, screen.steps() as step:

        def on_epoch(epoch: Epoch) -> None:
            step(f"training: epoch {epoch.epoch}, validation {epoch.metric:.4f}")

        found = renew(out, store, newest_days=days, dry_run=dry_run, cold=cold, on_step=step, on_epoch=on_epoch)
    if as_json:
        _print(found.to_dict())
    else:
        _show_update(found)


@contextmanager
def opened(out: Path, db: str | None) -> Iterator[Store]:
    """The database of a server; raises InputError where there is none or it goes away."""
    url = database_of(out, db)
    file = Path(url.removeprefix("sqlite:///"))
    if "://" not in str(url.removeprefix("sqlite:///")) and not file.exists():
        raise InputError(f"found no database {file}; `endcap serve {out}` or `endcap load` makes it, or give --db")
    try:
        store = Store.open(url)
        try:
            yield store
        finally:
            store.close()
    except Unavailable as error:
        raise InputError(f"the database cannot be reached: {error}; nothing was changed") from error


def _show_report(found: Report) -> None:
    table = Table(title=escape(found.experiment), title_justify="left")
    table.add_column("")
    for column in ("control", "candidate", "difference", "p"):
        table.add_column(column, justify="right")
    sizes = [f"{found.sums[arm]['visitors']:,.0f}" for arm in ("control", "candidate")]
    table.add_row("visitors", *sizes, "", "")
    for each in found.measures:
        is_share = each.name != "revenue per visitor"
        arms = [_figure(arm, ".2%" if is_share else ".4f") for arm in (each.control, each.candidate)]
        difference = (
            _figure(_points(each.difference), "+.2f") + " points" if is_share else _figure(each.difference, "+.4f")
        )
        table.add_row(each.name, *arms, difference, _p(each.p))
    screen.out.print(table)
    screen.out.print(f"lists of {_date(found.first)} to {_date(found.last)} UTC", highlight=False)
    _say(*found.warnings)
    screen.out.print(escape(found.verdict), highlight=False)


def _show_estimate(found: Estimate, title: str) -> None:
    pairs: dict[str, Any] = {
        "explored places": f"{found.places:,} in {found.lists:,} lists of {found.visitors:,} visitors",
        "the same was shown": f"{found.met:,}, worth {found.effective:,.0f} places without weights",
        "mean weight": f"{found.weight:.3f}",
        "as shown": _figure(found.logged),
        "IPS": _figure(found.ips),
        "SNIPS": _figure(found.snips),
        "SNIPS - as shown": f"{_figure(found.difference, '+.4f')}  p {_p(found.p)}",
    }
    pairs |= {f"left out: {reason}": f"{n:,} lists" for reason, n in found.left_out.items()}
    screen.out.print(screen.facts(pairs, title))
    _say(*found.warnings)
    screen.out.print(escape(found.verdict), highlight=False)


def _show_update(found: Update) -> None:
    pairs: dict[str, Any] = {
        "live before": found.live,
        "trained up to": f"{_date(found.trained_until)} UTC",
        "newest event": f"{_date(found.newest)} UTC",
        "events": f"{found.events:,}, of them {found.new_events:,} new answers",
    }
    if found.cuts is not None and found.compared is not None:
        pairs |= {
            "chosen by": f"what came from {_date(found.cuts[0])} UTC on"
            + f": {found.epochs} epochs" * bool(found.epochs),
            "decided by": f"what came from {_date(found.cuts[1])} UTC on: {found.compared.questions:,} questions",
            "new products": f"{found.new_items:,}",
            **{metric.upper(): _both(found.compared, metric) for metric in METRICS},
        }
    if found.new is not None:
        pairs["live now"] = found.new
    screen.out.print(screen.facts(pairs, "update"))
    _say(*found.notes)
    screen.out.print(escape(found.reason), highlight=False, soft_wrap=True)


def _both(compared: Compared, metric: str) -> str:
    return f"{compared.new[metric]:.4f}, the live one {compared.live[metric]:.4f}"


def _say(*lines: str) -> None:
    for line in lines:
        screen.out.print(f"· {escape(line)}", highlight=False)


def _points(each: Interval) -> Interval:
    return Interval(100 * each.value, 100 * each.low, 100 * each.high)


def _figure(each: Interval, form: str = ".4f") -> str:
    if math.isnan(each.low):
        return f"{each.value:{form}}"
    return f"{each.value:{form}} ({each.low:{form}} to {each.high:{form}})"


def _p(p: float) -> str:
    return "–" if math.isnan(p) else "< .001" if p < 0.001 else f"{p:.3f}"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))
