"""Sums in the shop's own currency."""

from dataclasses import dataclass

import pyarrow.compute as pc
from babel.numbers import format_compact_currency, format_currency

from endcap.engine.shelf import Shelf
from endcap.serve.console.texts import Words
from endcap.serve.storefront.config import StorefrontConfig
from endcap.serve.storefront.language import LOCALES
from endcap.serve.storefront.shop import Shop

LARGE = 1_000
"""A sum from which on its cents say nothing."""


@dataclass(frozen=True)
class Money:
    """Writes sums of one currency, in the language of a page."""

    currency: str
    locale: str

    def __call__(self, value: float | None) -> str:
        """`$12.50`; a dash where it is not known."""
        return "–" if value is None else format_currency(value, self.currency, locale=self.locale).replace("-", "−")

    def rough(self, value: float | None) -> str:
        """Without cents from LARGE on: `$12,500`."""
        if value is None or abs(value) < LARGE:
            return self(value)
        text = format_currency(value, self.currency, "¤#,##0", locale=self.locale, currency_digits=False)
        return text.replace("-", "−")

    def short(self, value: float | None) -> str:
        """For where there is little room: `$12.5K`."""
        if value is None:
            return "–"
        digits = 0 if value == round(value) and value < LARGE else 1
        return format_compact_currency(value, self.currency, locale=self.locale, fraction_digits=digits)


def currency_of(shelf: Shelf, config: StorefrontConfig) -> str:
    """The one currency that the catalogue names, else that of the shop's settings."""
    table = shelf.base.table
    named = pc.unique(table["currency"]).to_pylist() if "currency" in table.column_names else []
    known = {name for name in named if name}
    return str(known.pop()) if len(known) == 1 else config.currency


def money_of(words: Words, shelf: Shelf, shop: Shop) -> Money:
    """Sums of a shop; nothing is converted."""
    return Money(currency_of(shelf, shop.config), LOCALES[words.language])
