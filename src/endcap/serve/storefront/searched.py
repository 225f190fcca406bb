"""What a page of results says of them: what was read as something else, what holds, what nothing was found for."""

from endcap.engine.searching import Hits, searchable
from endcap.serve.storefront.pages import Page


def notes(page: Page, hits: Hits) -> list[str]:
    """In the visitor's language, one sentence each."""
    found, say = hits.found, page.say
    wishes, known = found.wishes, searchable(hits.shelf).facts.currencies
    currency = next(iter(known)) if len(known) == 1 else page.shop.config.currency  # that of the prices held against it

    def money(price: float) -> str:
        return say.money(price, currency)

    said = [say("search.corrected", typed=typed, meant=meant) for typed, meant in hits.corrected.items()]
    if wishes.low is not None and wishes.high is not None:
        said.append(say("search.between", low=money(wishes.low), high=money(wishes.high)))
    elif wishes.high is not None:
        said.append(say("search.under", high=money(wishes.high)))
    elif wishes.low is not None:
        said.append(say("search.over", low=money(wishes.low)))
    if wishes.unwanted:
        said.append(say("search.unwanted", words=", ".join(wishes.unwanted)))
    if wishes.sort != "best":
        said.append(say(f"search.sort.{wishes.sort}"))
    if found.given_up:
        said.append(say("search.given_up", words=", ".join(found.given_up)))
    if found.nearest is not None:
        said.append(say("search.nearest", price=money(found.nearest)))
    return said
