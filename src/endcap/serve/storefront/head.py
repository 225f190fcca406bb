"""What a page says of itself to search engines and to who shares its address."""

from collections.abc import Sequence
from typing import Any

from endcap.serve.storefront.catalogue import Category, Product
from endcap.serve.storefront.pages import Page, summary


def product(page: Page, shown: Product, description: str | None, above: Sequence[Category]) -> list[dict[str, Any]]:
    """A product and the way to it, as schema.org has them."""
    origin = page.origin
    about: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": shown.title,
        "sku": shown.item_id,
        "image": origin + shown.photo,
        "url": origin + shown.address,
    }
    if description:
        about["description"] = summary(description)
    if shown.brand:
        about["brand"] = {"@type": "Brand", "name": shown.brand}
    if shown.price is not None:
        about["offers"] = {"@type": "Offer", "price": f"{shown.price:.2f}",
                           "priceCurrency": shown.currency or page.shop.config.currency,
                           "url": origin + shown.address}  # fmt: skip
    if shown.rating and shown.rating_count:
        about["aggregateRating"] = {"@type": "AggregateRating", "ratingValue": shown.rating,
                                    "reviewCount": int(shown.rating_count)}  # fmt: skip
    steps = [(page.say("home"), "/"), *((each.name, each.address) for each in above)]
    crumbs = {
        "@context": "https://schema.org",
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": place, "name": name, "item": origin + address}
            for place, (name, address) in enumerate(steps, start=1)
        ],
    }
    return [about, crumbs]
