"""The commands `endcap serve` and `endcap load`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from endcap import demo_training, screen
from endcap.config import Config
from endcap.data.errors import InputError
from endcap.load import Loaded
from endcap.load import load as read_into
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
)
from endcap.results import plain
from endcap.serve.config import ServeConfig, zone_of
from endcap.serve.run import free_port
from endcap.serve.run import serve as run
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.errors import Unavailable
from endcap.store.store import Store

DbOption = Annotated[
    str | None,
    typer.Option("--db", metavar="URL", help="sqlite:///shop.db or postgresql://…; default: OUT.db beside OUT."),
]
DEFAULTS = ServeConfig(Path())


def database_of(out: Path, db: str | None) -> str:
    """Where events are kept: as said, else in SQLite beside the artifact."""
    return db or f"sqlite:///{out.resolve()}.db"


def serve(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="An artifact, as `endcap train` leaves it.")],
    db: DbOption = None,
    host: Annotated[str, typer.Option(help="Other machines reach it only with keys.")] = DEFAULTS.host,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = DEFAULTS.port,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes; one for each core.")] = DEFAULTS.workers,
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", metavar="FILE.toml", help="Who may do what; without it only this machine may."),
    ] = None,
    explore: Annotated[
        int, typer.Option(min=0, max=20, metavar="PLACES", help="Last places of a list that are left to chance.")
    ] = DEFAULTS.explore,
    rate: Annotated[str, typer.Option(help="Of a visitor with a public key, in each worker.")] = DEFAULTS.rate,
    address_rate: Annotated[
        str, typer.Option("--address-rate", help="Of an address with a public key, or on the shop's pages.")
    ] = DEFAULTS.address_rate,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a request.")] = DEFAULTS.timeout,
    storefront: Annotated[
        bool | None,
        typer.Option("--storefront/--no-storefront", help="The shop at /; without this, where there are no keys."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="PATH", help="Its photos; default: those of training.")
    ] = None,
    currency: Annotated[
        str, typer.Option("--currency", metavar="CODE", help="Of prices whose product names none.")
    ] = DEFAULTS.shop.currency,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="NAME", help="Of the console's times and days, such as Europe/Berlin.")
    ] = DEFAULTS.timezone,
) -> None:
    """Serve an artifact over HTTP: events in, recommendations out; the last click already counts.

    What happens is kept in a database, by default SQLite in OUT.db beside OUT. See /docs of the running server.

    `endcap serve runs/shop`

    `endcap serve runs/shop --db postgresql://shop@localhost/shop --workers 2 --api-key-file keys.toml --host 0.0.0.0`
    """
    zone_of(timezone)
    url = database_of(out, db)
    screen.err.print(f"events are kept in {url.rpartition('@')[2]}", highlight=False, soft_wrap=True, markup=False)
    run(
        ServeConfig(
            out=out,
            db=url,
            host=host,
            port=port,
            workers=workers,
            keys=api_key_file,
            explore=explore,
            rate=rate,
            address_rate=address_rate,
            timeout=timeout,
            storefront=storefront,
            timezone=timezone,
            shop=StorefrontConfig(images=images, currency=currency),
        )
    )


def open_shop(configs: Sequence[Config], out: Path, port: int) -> None:
    """The shop of `endcap demo`, on this machine alone, until Ctrl-C: models that count fill it, and it gets better."""
    with demo_training.alone(out):
        with screen.steps() as step:
            opened = demo_training.opening(configs, out, on_step=step)
        for note in opened.notes:
            screen.out.print(f"· {note}", highlight=False, markup=False, soft_wrap=True)
        standing = demo_training.standing(out)
        screen.out.print(f"opening a shop with {standing.model} …", highlight=False)
        config = ServeConfig(
            out=out / demo_training.SHOP,
            db=demo_training.database(out),
            port=free_port(DEFAULTS.host, port),
            storefront=True,
            shop=StorefrontConfig(demo=True, households=opened.households, growing=out),
        )
        with demo_training.beside(out, _tell):
            run(config, on_open=lambda address: _open(address, out))


def _open(address: str, out: Path) -> None:
    screen.out.print(f"\n[bold]the shop is open: {address}[/bold] (Ctrl-C ends it)")
    if not demo_training.trained(out):
        screen.out.print("models are trained beside it, and what is better goes live", highlight=False)


def _tell(news: demo_training.News) -> None:
    """A line each, in which the server says its own."""
    style = "bold" if news.kind in ("live", "failed", "end") else "dim"
    screen.out.print(news.text, style=style, highlight=False, markup=False, soft_wrap=True)


def load(
    events: Annotated[str, typer.Argument(metavar="EVENTS", help="The log: a file or a folder, with times.")],
    db: Annotated[str, typer.Option("--db", metavar="URL", help="sqlite:///shop.db or postgresql://…")],
    items: ItemsOption = None,
    format: FormatOption = None,  # noqa: A002
    map: MapOption = None,  # noqa: A002
    kind: KindOption = None,
    where: WhereOption = None,
    carry: CarryOption = None,
    header: HeaderOption = None,
    time_format: TimeFormatOption = None,
    timezone: TimezoneOption = None,
    category_separator: SeparatorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a log and a catalogue into the database of a server; a second run adds nothing.

    Users who asked to be forgotten stay so.

    `endcap load events.csv --items products.csv --db sqlite:///runs/shop.db`

    `endcap load events.parquet --db postgresql://shop@localhost/shop --json`
    """
    data = data_config(
        events, items, format, map, kind, Asked(where, carry, header, time_format, timezone, category_separator)
    )
    try:
        store = Store.open(db)
    except Unavailable as error:
        raise InputError(f"the database cannot be reached: {error}; is it running?") from error
    try:
        with screen.steps() as step:
            loaded = read_into(
                store,
                data,
                on_step=step,
                on_progress=lambda done, total: step(f"writing the events: {done:,} of {total:,}"),
            )
    except Unavailable as error:
        raise InputError(f"the database went away: {error}; run this again to go on from there") from error
    finally:
        store.close()
    if as_json:
        print(json.dumps(plain(asdict(loaded)), indent=2, allow_nan=False))
    else:
        _show(loaded, events)


def _show(loaded: Loaded, events: str) -> None:
    for note in loaded.notes:
        screen.out.print(f"· {note}", highlight=False, markup=False, soft_wrap=True)
    facts = {
        "rows read": f"{loaded.rows:,}",
        "events that can be used": f"{loaded.events:,}",
        "new in the database": f"{loaded.new:,}",
        "of forgotten users, left out": f"{loaded.forgotten:,}",
        "products": f"{loaded.items:,}",
    }
    facts |= {f"{sort.column}: {sort.problem}": f"{sort.rows:,} rows" for sort in loaded.problems}
    screen.out.print(screen.facts(facts, events))
