"""The command `endcap digest`."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from endcap import screen
from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.options import JsonOption
from endcap.results import plain
from endcap.serve.commands import DEFAULTS, DbOption, database_of
from endcap.serve.config import zone_of
from endcap.serve.console.texts import Words
from endcap.serve.digest import digest as made
from endcap.serve.webhook import Delivery, check_address, send
from endcap.store.errors import Unavailable

USUAL = Delivery()


def digest(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The artifact that `endcap serve` was given.")],
    db: DbOption = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="A webhook that it is posted to; without, it is printed.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=300, help="Seconds of a try.")] = USUAL.timeout,
    tries: Annotated[int, typer.Option(min=1, max=10, help="How often it is sent until it is taken.")] = USUAL.tries,
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="NAME", help="Of the shop's days, such as Europe/Berlin.")
    ] = DEFAULTS.timezone,
    currency: Annotated[
        str, typer.Option("--currency", metavar="CODE", help="Of prices whose product names none.")
    ] = DEFAULTS.shop.currency,
    language: Annotated[Literal["en", "zh"], typer.Option(help="Of the text.")] = "en",
    as_json: JsonOption = False,
) -> None:
    """Say how the last seven days went, beside those before: revenue, orders, what came of shelves, what rose and fell.

    What is posted is JSON with the figures and a `text` that Slack and Mattermost show as it is.

    `endcap digest runs/shop`

    `endcap digest runs/shop --url https://hooks.example.com/endcap --timezone Europe/Berlin`
    """
    words = Words(language, currency, zone_of(timezone))
    if url is not None:
        check_address(url)
    try:
        engine = Engine.open(out, database_of(out, db))
        try:
            found = made(engine, words)
        finally:
            engine.close()
    except Unavailable as error:
        raise InputError(f"the database cannot be reached: {error}; is it running?") from error
    body = plain(dict(found.body))
    if url is not None:
        send(url, body, Delivery(timeout, tries))
    if as_json:
        print(json.dumps(body, indent=2, allow_nan=False))
    else:
        screen.out.print(found.text, highlight=False, markup=False, soft_wrap=True)
