"""What `endcap check` advises: rows that could be used, or should not be, each with its reason and the options for it.

Nothing here is done unasked; `--write` puts it into a TOML, where it can be read and changed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from endcap.data.backend import Backend
from endcap.data.check import Summary
from endcap.data.logs import LogConfig
from endcap.data.schema import Validated, ValidatedItems
from endcap.data.sources.columns import Columns, columns_of
from endcap.data.sources.duck import literal
from endcap.data.sources.origins import filled
from endcap.data.sources.tables import Tables

NOBODY = (
    "0", "-1", "-", "?", "guest", "guests", "anonymous", "anon", "unknown", "nobody", "visitor", "user", "test", "gast",
    "unbekannt", "invité", "invitado", "ospite", "гость", "游客", "访客", "匿名", "ゲスト", "not logged in",
    "logged out", "no user", "00000000-0000-0000-0000-000000000000",
)  # fmt: skip
"""What shops call a visitor whom they do not know, in small letters; each could also be somebody's id."""

FEES = (
    "post", "postage", "dot", "shipping", "delivery", "versand", "versandkosten", "porto", "bank charges", "amazonfee",
    "cruk", "fee", "giftwrap", "gift wrap", "gift-wrap", "gift_wrap", "giftcard", "gift card", "gift-card", "voucher",
    "discount", "adjust", "adjust2", "test", "test-item", "test_item", "testprodukt", "test001", "test002", "sample",
)  # fmt: skip
"""Ids of what is no product."""

_UNDONE = r"(?i)^(wc-)?(cancel|refund|return|void|fail|declin|reject|test|draft|chargeback|storn|annul|abandon|expired)"
_STATUS = r"(?i)status|state|zustand|statut|estado"
_OTHER_IDS = r"(?i)anon|session|visitor|cookie|client|device|guest|mail|phone|customer|user"
_CUT = r"^\d(\.\d+)?[eE]\+\d+$"
_MOST = 40  # columns that are looked at


@dataclass(frozen=True)
class Advice:
    """A sentence, and what does as it says: options of the command line, keys of [data]."""

    text: str
    options: tuple[str, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)


def advise(
    backend: Backend, logs: Sequence[LogConfig], tables: Tables, validated: Validated, items: ValidatedItems | None,
    summary: Summary,
) -> tuple[Advice, ...]:  # fmt: skip
    """Everything that is worth saying of the log, the weightiest first."""
    found = [*_of_rows(backend, logs[0], tables, summary)] if len(logs) == 1 else []
    found += [
        *_of_events(backend, validated, tables),
        *_of_times(summary),
        *_of_catalogue(backend, validated, items, summary),
    ]
    return tuple(found)


def _of_rows(backend: Backend, log: LogConfig, tables: Tables, summary: Summary) -> list[Advice]:
    """What columns that were not read would give."""
    columns = columns_of(backend, Path(log.events), log.format, log.log)
    if columns is None:
        return []
    return [
        *([] if log.carry else _lost_users(columns, tables)),
        *_undone(columns, log),
        *_of_kinds(columns, tables, summary, log),
    ]


def _lost_users(columns: Columns, tables: Tables) -> list[Advice]:
    """Rows without a user that have one by another column, or by another row of their order."""
    user = tables.columns.get("user_id", "")
    if user not in columns.names:
        return []
    blank = f"({filled(columns.text(user))}) IS NULL"
    n = columns.count(blank)
    if not n:
        return []
    used = {*tables.columns.values()}
    others = [name for name in columns.names if name not in used][:_MOST]
    for name in others:
        if (
            re.search(_OTHER_IDS, name)
            and columns.count(f"{blank} AND ({filled(columns.text(name))}) IS NOT NULL") > 0.9 * n
        ):
            mapped = f"{user} or {name}"
            text = f"`{name}` is filled in the {n:,} rows without {user}"
            return [Advice(text, (f"--map 'user_id={mapped}'",), {"columns": {"user_id": mapped}})]
    for name in others:
        if columns.shared(name, user, blank) == n:
            time = tables.columns.get("time")
            lacking = user
            if (
                time in columns.names
                and columns.count(f"{blank} AND ({filled(columns.text(time or ''))}) IS NULL") == n
            ):
                lacking = f"{user} and {time}"
            text = f"{n:,} rows lack {lacking} but share their `{name}` with a row that has them"
            return [Advice(text, (f"--carry {name}",), {"carry": name})]
    return []


def _undone(columns: Columns, log: LogConfig) -> list[Advice]:
    """Orders that were cancelled, given back or tests."""
    advice = []
    for name in columns.names:
        if re.search(_STATUS, name) and not any(each.startswith(name) for each in log.where):
            counts = columns.counts(name, f"regexp_matches(trim({columns.text(name)}), {literal(_UNDONE)})")
            if counts:
                said = ", ".join(f"{value} {n:,}" for value, n in counts)
                where = tuple(f"{name}!={value}" for value, _ in counts)
                advice.append(Advice(
                    f"`{name}` has rows that may not count: {said}",
                    tuple(f"--where '{each}'" for each in where), {"where": [*where]},
                ))  # fmt: skip
    return advice


def _of_kinds(columns: Columns, tables: Tables, summary: Summary, log: LogConfig) -> list[Advice]:
    """Orders that are read as views."""
    if "kind" in tables.columns or log.kind or set(summary.kinds) != {"view"}:
        return []
    orders = [
        name
        for name in columns.names
        if re.search(r"(?i)order|invoice|receipt|transaction|basket|bestell|faktura", name)
    ]
    if not orders and "quantity" not in tables.columns:
        return []
    why = f"`{orders[0]}`" if orders else f"`{tables.columns['quantity']}`"
    text = f"the log names no kinds, so all {summary.events:,} events are views; {why} looks like orders"
    return [Advice(text, ("--kind purchase",), {"kind": "purchase"})]


def _of_events(backend: Backend, validated: Validated, tables: Tables) -> list[Advice]:
    """Words for nobody, things that are no products, kinds that are not known, ids that were cut."""
    F = backend.F  # noqa: N806
    advice = []
    for column, words, what in (
        ("user_id", NOBODY, "may be nobody: visitors who are not known"),
        ("item_id", FEES, "looks like a fee, a service or a test, not a product"),
    ):
        odd = validated.events.filter(F.lower(F.trim(F.col(column))).isin(list(words)))
        counts = backend.rows(odd.groupBy(column).agg(F.count("*").alias("n")).orderBy(F.col("n").desc(), column))
        if counts:
            said = ", ".join(f"{each[column]} {each['n']:,}" for each in counts)
            name = tables.columns.get(column, column)
            where = [f"{name}!={each[column]}" for each in counts]
            total = sum(each["n"] for each in counts)
            advice.append(Advice(
                f"{total:,} events have a {column} that {what}: {said}",
                tuple(f"--where '{each}'" for each in where), {"where": where},
            ))  # fmt: skip
    unknown = validated.problems.filter(F.col("problem") == "unknown kind; row left out")
    named = backend.rows(
        unknown.groupBy("value").agg(F.count("*").alias("n")).orderBy(F.col("n").desc(), "value").limit(20)
    )
    if named:
        said = ", ".join(f"{each['value']} {each['n']:,}" for each in named)
        advice.append(
            Advice(f"words for kinds that are not known, rows left out: {said}", (f"--kind {named[0]['value']}=cart",))
        )
    cut = backend.rows(validated.events.filter(F.col("item_id").rlike(_CUT)).select("item_id").limit(1))
    if cut:
        advice.append(Advice(
            f"the item_id {cut[0]['item_id']} looks like a number cut short by a spreadsheet, so that different"
            " products became one; export the ids as text"
        ))  # fmt: skip
    return advice


def _of_times(summary: Summary) -> list[Advice]:
    if summary.first_time is None or summary.first_time != summary.last_time or summary.events < 2:
        return []
    when = datetime.fromtimestamp(summary.first_time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return [
        Advice(
            f"all {summary.events:,} events are at {when}, so no split is possible by it;"
            " map another column with --map time=COLUMN"
        )
    ]


def _of_catalogue(
    backend: Backend, validated: Validated, items: ValidatedItems | None, summary: Summary
) -> list[Advice]:
    """A catalogue of other ids, of half of its rows, of paths with slashes."""
    if items is None or summary.catalogue is None:
        return []
    F = backend.F  # noqa: N806
    advice = []
    if summary.items and summary.unknown_items == summary.items:
        ours = backend.one(validated.events.agg(F.min("item_id").alias("id")))["id"]
        theirs = backend.one(items.items.agg(F.min("item_id").alias("id")))["id"]
        advice.append(Advice(
            f"none of the {summary.items:,} items of the log is in the catalogue: the log has {ours}, the catalogue"
            f" {theirs}"
        ))  # fmt: skip
    lost = sum(
        sort.rows
        for sort in summary.problem_sorts
        if sort.column.startswith("items.") and "row left out" in sort.problem
    )
    if lost * 10 > lost + summary.catalogue:
        advice.append(Advice(f"{lost:,} of {lost + summary.catalogue:,} rows of the catalogue could not be read"))
    paths = backend.one(items.items.agg(
        F.count("category").alias("n"),
        F.count(F.when(F.col("category").contains("/") & ~F.col("category").contains(" > "), 1)).alias("slashes"),
    ))  # fmt: skip
    if paths["slashes"] * 2 > paths["n"]:
        text = "categories have `/` and would be paths by it, such as Toys > Indoor"
        advice.append(Advice(text, ("--category-separator /",), {"category_separator": "/"}))
    return advice
