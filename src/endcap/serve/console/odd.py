"""Odd rows of the catalogue as the models page shows them: corrected, hidden by a rule, or called right."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from endcap.data.errors import InputError
from endcap.engine.engine import Engine
from endcap.engine.oddrows import OddRows, hide, odd_rows, set_right
from endcap.engine.rules import dump_rule
from endcap.engine.shelf import Shelf
from endcap.serve.console.cards import Card, card_of
from endcap.serve.console.form import Form
from endcap.serve.console.page import Page
from endcap.serve.console.texts import Words
from endcap.serve.schemas import ItemBody
from endcap.serve.translate import row_of
from endcap.store.records import OddRow

FIELDS: Mapping[str, tuple[str, ...]] = {"title": ("title", "category"), "image": ("image",), "price": ("price",),
                                         "category": ("category",)}  # fmt: skip
"""Column that looks wrong -> the columns that are given anew."""


@dataclass(frozen=True)
class Wrong:
    """What was wrong with a correction that was sent."""

    row: tuple[str, str]  # item_id and column
    message: str
    given: Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """An odd row with its product and what its forms hold."""

    odd: OddRow
    card: Card
    hidden: bool  # by a rule, everywhere
    values: Mapping[str, str]  # of the fields of the correction
    wrong: str
    rule_id: str
    rule: str  # as JSON: hides the product


@dataclass(frozen=True)
class Section:
    """What the page shows of odd rows."""

    looked: OddRows
    rows: tuple[Row, ...]


def section(page: Page, wrong: Wrong | None = None) -> Section:
    """The rows that are still to be judged."""
    engine = page.desk.engine
    looked, listed = odd_rows(engine), engine.listed(engine.live)
    return Section(looked, tuple(_row(each, engine.live.shelf, listed, wrong) for each in looked.rows))


def _row(odd: OddRow, shelf: Shelf, listed: Shelf, wrong: Wrong | None) -> Row:
    item = shelf.find(odd.item_id)
    mine = wrong if wrong is not None and wrong.row == (odd.item_id, odd.column) else None
    values = {name: odd.expected if name == odd.column == "category" else "" for name in FIELDS.get(odd.column, ())}
    return Row(
        odd=odd,
        card=card_of(odd.item_id, shelf),
        hidden=bool(item) and not listed.there[item],
        values=values if mine is None else {name: mine.given[name] for name in values},
        wrong="" if mine is None else mine.message,
        rule_id=f"hide {odd.item_id}"[:512],
        rule=json.dumps(dump_rule(hide(odd)), ensure_ascii=False),
    )


class FieldError(InputError):
    """What was given in place of an odd value cannot be."""


def correct(engine: Engine, form: Form, words: Words) -> None:
    """Writes what a form corrects into the catalogue, as `PUT /v1/items` does.

    Raises FieldError where that cannot be, InputError where the row is none any more.
    """
    odd = _asked(engine, form, words)
    given = {name: form[name] for name in FIELDS.get(odd.column, ()) if form[name]}
    if not given:
        raise FieldError(words("odd.empty", column=words(f"odd.column.{odd.column}")))
    try:
        body = ItemBody.model_validate(given)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        said = "odd.bad_price" if name == "price" else "odd.bad_text"
        raise FieldError(words(said, value=given[name][:80])) from error
    engine.put_items([row_of(body) | {"item_id": odd.item_id}])


def call_right(engine: Engine, form: Form, words: Words, *, by: str) -> None:
    """Keeps that a row is as it should be; raises InputError where it is none any more."""
    odd = _asked(engine, form, words)
    set_right(engine, odd.item_id, odd.column, odd.value, by=by)


def _asked(engine: Engine, form: Form, words: Words) -> OddRow:
    key = (form["item_id"], form["column"], form["value"])
    for each in odd_rows(engine).rows:
        if (each.item_id, each.column, each.value) == key:
            return each
    raise InputError(words("odd.gone"))
