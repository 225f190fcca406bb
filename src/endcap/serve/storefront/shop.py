"""What all pages of the shop ask: the catalogue as it is now, a visitor's past, photos. Without a database, less."""

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from starlette.requests import Request

from endcap.data.errors import InputError
from endcap.data.schema import SEPARATOR
from endcap.data.sources import simulated
from endcap.demo_training import Standing, standing
from endcap.engine.engine import Engine
from endcap.engine.searching import searchable
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.serve.memory import give_back
from endcap.serve.serving import Serving
from endcap.serve.storefront.catalogue import levels, tree
from endcap.serve.storefront.config import StorefrontConfig
from endcap.serve.storefront.facets import candidates
from endcap.serve.storefront.past import Household, households, liked
from endcap.serve.storefront.pictures import Folder, origins, remote
from endcap.serve.storefront.seen import HeatMaps
from endcap.store.errors import Unavailable
from endcap.store.records import Event, Happened, Visitor

HOUSEHOLDS = "completejourney"
"""The log whose users are households."""
MOST_ORIGINS = 20
LATEST_LIKED = 200
"""Events of a user by which it is said what they like."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shop:
    """One for each worker. Where the database is away the pages are still whole: what needs it is left out."""

    serving: Serving
    engine: Engine
    config: StorefrontConfig
    folder: Folder | None
    heat_maps: HeatMaps = field(default_factory=HeatMaps)

    @classmethod
    def of(cls, serving: Serving, engine: Engine) -> "Shop":
        """Raises InputError where the photos that the config names cannot be read."""
        config, artifact = serving.config.shop, engine.live.artifact
        images = config.images or (Path(artifact.config.data.images) if artifact.config.data.images else None)
        folder = None
        if images is not None:
            try:
                folder = Folder(images, artifact.catalog, artifact.aliases)
            except InputError as error:
                if config.images is not None:
                    raise
                log.warning("the shop has no photos: %s", error)  # those of training may be on another machine
        return cls(serving, engine, config, folder)

    def warm(self) -> None:
        """Makes in the background what the first visitors would wait for: the index, the categories, the households."""
        threading.Thread(target=self._warm, name="endcap-shop", daemon=True).start()

    def _warm(self) -> None:
        shelf = self.engine.listed(self.engine.live)
        tree(shelf)
        searchable(shelf)
        image_sources(shelf)
        has_prices(shelf)
        candidates(shelf)
        if self.folder is not None and self.folder.is_upright:
            log.info("most photos stand upright, and so do the cards")
        self.households()
        give_back()

    @property
    def is_simulated(self) -> bool:
        """Whether the model learned from visits that nobody made."""
        return self.engine.live.artifact.config.data.events == simulated.NAME

    @property
    def people(self) -> str:
        """The ending of texts that speak of the log's users: households, made-up visitors, else customers."""
        events = self.engine.live.artifact.config.data.events
        return {simulated.NAME: ".simulated", HOUSEHOLDS: ""}.get(events, ".customer")

    @property
    def version(self) -> Version:
        """What answers now, with the catalogue as it is now."""
        try:
            self.engine.refresh()
        except Unavailable:
            log.warning("the database is away: the catalogue may be an older one")
        return self.engine.live

    def past(self, visitor: Visitor) -> list[Happened]:
        """What a visitor did, oldest first."""
        if self.engine.store is None:
            return []
        try:
            return self.engine.store.histories([visitor], last=self.engine.config.last)[0]
        except Unavailable:
            log.warning("the database is away: a page knows nothing of its visitor")
            return []

    def record(self, events: Sequence[Event]) -> None:
        """Keeps events; raises Unavailable where they cannot be kept."""
        if self.engine.store is not None and events:
            new = self.engine.record(events)
            self.serving.metrics.events.labels("accepted").inc(sum(new))
            self.serving.metrics.events.labels("duplicate").inc(len(new) - sum(new))

    def photos(self, item_id: str) -> Iterator[bytes]:
        """The photos that are here: the one that was put into the store, then that of the folder."""
        try:
            if self.engine.store is not None:
                yield from self.engine.store.photos([item_id]).values()
        except Unavailable:
            log.warning("the database is away, and photos with it")
        if self.folder is not None and (data := self.folder.read(item_id)) is not None:
            yield data

    def has_photo(self, shelf: Shelf, item_id: str) -> bool:
        """Whether a product has a photo, as far as that is known without looking into the store."""
        if self.folder is not None and item_id in self.folder.files:
            return True
        return remote(shelf.shown(shelf.find(item_id)).get("image")) is not None

    def first_photos(self, shelf: Shelf) -> dict[str, str]:
        """Of each department the first product of which a photo is here: the department's name -> item_id."""
        return {} if self.folder is None else _first_photos(shelf, self.folder)

    def households(self) -> tuple[Household, ...]:
        """Users whom visitors of a demonstration may step into; none elsewhere."""
        config = self.serving.config
        if not self.config.demo or config.db is None:
            return ()
        try:
            return households(config.db, self.config.households)
        except Unavailable:
            log.warning("the database is away: there are no households to step into")
            return ()

    @property
    def standing(self) -> Standing | None:
        """Who answers in a demonstration that gets better while it is open; None elsewhere."""
        if self.config.growing is None:
            return None
        try:
            return standing(self.config.growing)
        except InputError:
            log.warning("what is trained beside the shop is not known")
            return None

    def likes(self, users: Sequence[Household]) -> list[list[str]]:
        """For each of some users the categories of most of their latest events."""
        if self.engine.store is None or not users:
            return [[] for _ in users]
        shelf = self.version.shelf
        visitors = [Visitor(each.user_id) for each in users]
        try:
            return [liked(shelf, past) for past in self.engine.store.histories(visitors, last=LATEST_LIKED)]
        except Unavailable:
            return [[] for _ in users]


@lru_cache(maxsize=1)
def _first_photos(shelf: Shelf, folder: Folder) -> dict[str, str]:
    found: dict[str, str] = {}
    for item_id in folder.files:
        item = shelf.find(item_id)
        if item and shelf.there[item] and (path := levels(shelf.whole.categories[item].split(SEPARATOR)[0])):
            found.setdefault(path[0], item_id)
    return found


@lru_cache(maxsize=1)
def has_prices(shelf: Shelf) -> bool:
    """Whether any product of the shop has a price."""
    return bool(np.isfinite(shelf.whole.prices[shelf.there]).any())


@lru_cache(maxsize=1)
def image_sources(shelf: Shelf) -> str:
    """For the content security policy: where else photos of the catalogue are."""
    found = sorted(origins(shelf.whole))
    return " ".join(found) if len(found) <= MOST_ORIGINS else "https: http:"


def shop_of(request: Request) -> Shop:
    """The one of this worker."""
    found: Shop = request.app.state.shop
    return found
