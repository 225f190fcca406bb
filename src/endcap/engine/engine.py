"""The engine: what the API, the pages, the guide and Python users ask. Its answers are those that were measured."""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from endcap.abtest import Plan, arm
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.schema import KINDS, LISTS, SEPARATOR
from endcap.engine import alike, together
from endcap.engine import page as pages
from endcap.engine.alike import Likeness
from endcap.engine.answering import Exploring, Given, answer
from endcap.engine.arriving import check_photo, checked, keep
from endcap.engine.past import Past, pasts_of
from endcap.engine.policy import Policy, companions
from endcap.engine.requests import NOBODY, Answer, Ask, Slot
from endcap.engine.retrieval import Restriction
from endcap.engine.rules import Rule, check_rule, dump_rule, parse_rule, readable
from endcap.engine.searching import Hits, Sought, seek, suggestions
from endcap.engine.shadow import Shadow
from endcap.engine.shelf import Shelf
from endcap.engine.version import Version
from endcap.search.suggesting import Suggestions
from endcap.store.errors import Unavailable
from endcap.store.records import Event, ItemChange, Revisions, Shown, Visitor
from endcap.store.store import Store

Beside = Literal["shadow", "candidate", "again", "new"]
"""Answers unheard, for a share of the visitors, or alone in the slot of that name."""
Role = Literal["live"] | Beside
ROLES: tuple[Role, ...] = ("live", *get_args(Beside))

log = logging.getLogger(__name__)

FLUSH = 0.2
"""Seconds until a list that was given is in the store; measuring can wait, answers cannot."""
REMEMBERED = 100_000
"""Sessions of which a process knows whose they are, so that not every request says it to the store."""


@dataclass(frozen=True)
class EngineConfig:
    """How lists are made beyond the model."""

    exploring: Exploring = field(default_factory=Exploring)
    last: int = 1000  # events of a visitor that are read


class Engine:
    """Methods take batches and may be called from any thread; a request is answered from one state throughout."""

    def __init__(
        self, version: Version, store: Store | None = None, *, name: str = "", config: EngineConfig | None = None
    ) -> None:
        self.store, self.name, self.config = store, name, config or EngineConfig()
        self._lock, self._loading = threading.RLock(), threading.Lock()
        self._roles: dict[Role, Version] = {"live": version}
        self._shares: dict[Role, float] = {}
        self._seen = Revisions()
        self._rules: Mapping[str, Rule] = {}
        self._policies: dict[tuple[Shelf, Slot], Policy] = {}
        self._listed: dict[Shelf, tuple[Mapping[str, Rule] | None, float, Shelf]] = {}
        self._random = np.random.default_rng()
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._shown: queue.SimpleQueue[Shown] = queue.SimpleQueue()
        self._shadow: Shadow | None = None
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write, name="endcap-shown", daemon=True)
        if store is not None:
            self._writer.start()

    @classmethod
    def open(cls, out: Path, db: str | None = None, *, config: EngineConfig | None = None) -> Self:
        """Opens an artifact, and the store where there is one; what is live there counts, else `out` itself.

        Raises InputError where one of them cannot be used, Unavailable where the database cannot be reached.
        """
        store = None if db is None else Store.open(db)
        name = out.resolve().name
        live = None if store is None else store.models(name).get("live")
        engine = cls(Version.load(out if live is None else Path(live["path"])), store, name=name, config=config)
        engine.refresh(wait=True)
        return engine

    def close(self) -> None:
        """Writes what waits, and closes the store."""
        self._closing.set()
        if self._shadow is not None:
            self._shadow.close()
        if self.store is not None:
            self._writer.join()
            self.flush()
            self.store.close()

    def recommend(self, asks: Sequence[Ask]) -> list[Answer | InputError]:
        """A list for each request, or what is wrong with it. The last event of a visitor counts."""
        return self._recommend(asks, lambda given: given)

    def page(self, asks: Sequence[Ask]) -> list[Answer | InputError]:
        """The shelves of one page, in their order: no product stands on two of them, see engine/page.py."""
        return self._recommend(pages.asked(asks), lambda given: pages.arranged(asks, given, self.live.shelf))

    def _recommend(
        self, asks: Sequence[Ask], arranged: Callable[[list[Given | InputError]], list[Given | InputError]]
    ) -> list[Answer | InputError]:
        self.refresh()
        now = time.time()
        with self._lock:
            roles, shares = dict(self._roles), dict(self._shares)
        for ask in asks:
            if ask.history is None:
                self._identify(ask.visitor)
        pasts = self.pasts(asks)
        found: list[Given | InputError] = [_NOTHING] * len(asks)
        test = _test(roles) if "candidate" in roles else None
        arms = self._arms(asks, roles, shares)
        for role, places in _parts(asks, arms, roles).items():
            given = self._answers(roles[role], [asks[n] for n in places], [pasts[n] for n in places], now)
            for place, one in zip(places, given, strict=True):
                found[place] = one
        found = arranged(found)
        results = [one if isinstance(one, InputError) else one.answer for one in found]
        for ask, one, role in zip(asks, found, arms, strict=True):
            if isinstance(one, Given) and one.answer.recommendation_id and self.store is not None:
                self._shown.put(_shown(ask, one, now, test, role))
        if "shadow" in roles:
            common = [n for n, ask in enumerate(asks) if ask.slot not in roles]  # of what the live model answered
            self._overshadow(
                roles["shadow"],
                [asks[n] for n in common],
                [pasts[n] for n in common],
                [results[n] for n in common],
                now,
            )
        return results

    def similar(
        self,
        item_id: str,
        k: int,
        filter: str | None = None,  # noqa: A002
        *,
        by: Likeness = "content",
    ) -> Answer:
        """The products most like one, by their vectors; raises InputError where it is unknown or nothing is known."""
        self.refresh()
        return alike.similar(self.live, item_id, k, filter, by=by)

    def goes_with(self, item_ids: Sequence[str]) -> int:
        """How many products are known to go with some, from baskets or chosen by hand: what slot cart has at most."""
        version, now = self.live, time.time()
        beside = [item for item_id in item_ids if (item := version.shelf.find(item_id))]
        policy = self._policy(version, "cart", now)
        known = together.together(version, beside, Restriction(), np.array(beside, np.int64), len(version.shelf))
        return len({*known.items.tolist(), *(() if policy is None else companions(policy, beside))})

    def search(self, sought: Sought) -> Hits:
        """What fits a query; raises InputError where its filter cannot be read."""
        self.refresh()
        version = self.live
        if sought.history is None:
            self._identify(sought.visitor)
        (past,) = self.pasts([Ask(sought.visitor, sought.history)])
        return seek(version, self.listed(version), sought, past)

    def suggest(self, query: str, k: int) -> tuple[Shelf, Suggestions]:
        """What a query that is being typed may become, and the shelf that its products stand on."""
        self.refresh()
        shelf = self.listed(self.live)
        return shelf, suggestions(shelf, query, k)

    def like_these(self, matched: str | Sequence[str], k: int = 50) -> Answer:
        """What a filter (or ids) leaves out although it is like what it lets through, the nearest first."""
        self.refresh()
        return alike.like_these(self.live, matched, k)

    def record(self, events: Sequence[Event]) -> list[bool]:
        """Keeps events; durable when it returns. False: an event of that id was there before."""
        return self._kept().record(events, now=time.time())

    def item(self, item_id: str) -> dict[str, Any]:
        """The columns of a product that have a value, those of several as lists; empty where the shop has none.

        By the id of a variant it is its product.
        """
        self.refresh()
        shelf = self.live.shelf
        item = shelf.find(item_id)
        row = shelf.row(shelf.ids[item - 1]) if item and shelf.there[item] else {}
        return {
            name: value.split(SEPARATOR) if name in LISTS and isinstance(value, str) else value
            for name, value in row.items()
            if value is not None and value != ""
        }

    def put_items(self, rows: Sequence[Mapping[str, Any]], photos: Mapping[str, bytes] | None = None) -> int:
        """Changes products or adds new ones, with photos by id; gives the revision. The next answer knows them.

        What the encoders say of them is in the store before the row is, so that no replica sees one without the other.
        """
        store = self._kept()
        for data in (photos or {}).values():
            check_photo(data)
        self.refresh()
        rows = [checked(row) for row in rows]
        changes = [ItemChange(str(row["item_id"]), row, 0) for row in rows]
        for version in {each.encoders: each for each in self.versions.values()}.values():
            shelf = version.shelf.with_changes(changes)
            told = version.news(changes, shelf)
            if told and version.artifact.described is not None:
                read = Catalog.from_table(shelf.table(told), told)
                keep(read, version.artifact.described.encoders, version.encoders, store, photos or {})
        revision = store.put_items(rows)
        for item_id, data in (photos or {}).items():
            revision = store.put_photo(item_id, data) or revision
        self.refresh()
        return revision

    def delete_items(self, item_ids: Sequence[str]) -> int:
        """Takes products out of the shop; gives the revision."""
        revision = self._kept().delete_items(item_ids)
        self.refresh()
        return revision

    def refresh(self, *, wait: bool = False) -> None:
        """Takes over what is newer in the store: products and rules at once, models when they are loaded.

        wait: for the models too.
        """
        if self.store is None:
            return
        now, seen = self.store.revisions(), self._seen
        if now == seen:
            return
        with self._lock:
            if now.items > self._seen.items:
                changes = self.store.items_since(self._seen.items)
                loaded = {id(each): each for each in self._roles.values()}  # one may have several roles
                changed = {key: each.with_changes(changes, self.store) for key, each in loaded.items()}
                self._roles = {role: changed[id(each)] for role, each in self._roles.items()}
            if now.rules > self._seen.rules:
                self._rules = readable(self.store.rules())
            self._policies.clear()
            reload = now.models > self._seen.models
            self._seen = now
        if reload and wait:
            self._load_models()
        elif reload:
            threading.Thread(target=self._load_models, name="endcap-models", daemon=True).start()

    def put_rule(self, rule_id: str, body: Mapping[str, Any], *, by: str) -> int:
        """Publishes a rule; gives the revision. Raises InputError where it cannot be followed with this catalogue."""
        store, rule = self._kept(), parse_rule(body)
        self.refresh()
        check_rule(rule, self.live.shelf.whole)
        return store.put_rule(rule_id, dump_rule(rule), by=by, now=time.time())

    def promote(self, path: Path, *, by: str) -> None:
        """Makes an artifact live, for all replicas; raises InputError where it is none. The one before is kept."""
        Version.load(path)
        if "live" not in self._kept().models(self.name):  # what is live since the start can be rolled back to
            self._set("live", str(self.live.path.resolve()), by=by)
        self._set("live", str(path.resolve()), by=by)

    def roll_back(self, *, by: str) -> None:
        """Makes the artifact live that was before; raises InputError where there was none."""
        previous = self._kept().models(self.name).get("previous")
        if previous is None:
            raise InputError("found no artifact that was live before; nothing was changed")
        self._set("live", str(previous["path"]), by=by)

    def set_role(
        self, role: Beside, path: Path | None, *, share: float = 0.0, by: str, plan: Plan | None = None
    ) -> None:
        """An artifact beside the live one: unheard, for a share of the visitors, or for a slot alone; None ends it.

        plan: of the test that begins so, kept in the log of changes.
        """
        if role == "candidate" and path is not None and not 0 < share < 1:
            raise InputError(f"found share {share}; expected the part of the visitors, above 0 and below 1")
        if path is not None:
            Version.load(path)
        self._set(role, None if path is None else str(path.resolve()), share=share, by=by, plan=plan)

    @property
    def live(self) -> Version:
        """What answers now."""
        return self._roles["live"]

    @property
    def versions(self) -> Mapping[Role, Version]:
        """By their roles."""
        return dict(self._roles)

    def pasts(self, asks: Sequence[Ask]) -> list[Past]:
        """What each visitor did before; with impressions where one of the models has learned of them."""
        shown = any(version.memory.hears_shown for version in self.versions.values())
        return pasts_of(self.store, asks, self.config.last, shown=shown)

    @property
    def about(self) -> Mapping[str, Any]:
        """What runs here, for people and programs."""
        version = self.live
        return {
            "models": {role: each.name for role, each in self._roles.items()},
            "share": self._shares.get("candidate", 0.0),
            "shadow": None if self._shadow is None else asdict(self._shadow.agreement),
            "items": int(version.shelf.there.sum()),
            "kinds": [KINDS[kind - 1] for kind in version.artifact.traits.kinds],
            "revisions": asdict(self._seen),
        }

    def flush(self) -> None:
        """Writes the lists that were given and are not in the store yet."""
        waiting = []
        while not self._shown.empty():
            waiting.append(self._shown.get())
        if waiting and self.store is not None:
            self.store.log_shown(waiting)

    def _kept(self) -> Store:
        if self.store is None:
            raise InputError("this engine has no database; open it with one, such as db='sqlite:///shop.db'")
        return self.store

    def _write(self) -> None:
        while not self._closing.wait(FLUSH):
            try:
                self.flush()
            except Unavailable:
                log.warning("the database is away: lists given meanwhile are not measured")

    def _set(self, role: Role, path: str | None, *, share: float = 0.0, by: str, plan: Plan | None = None) -> None:
        about = {} if plan is None else asdict(plan)
        self._kept().set_model(self.name, role, path, share=share, by=by, now=time.time(), about=about)
        self._load_models()

    def _load_models(self) -> None:
        """Artifacts are read while the old ones go on answering; then all roles change at once."""
        with self._loading:
            self._take_roles(self._kept())

    def _take_roles(self, store: Store) -> None:
        wanted = store.models(self.name)
        ready = {str(each.path.resolve()): each for each in self._roles.values()}
        loaded: dict[Role, Version] = {}
        for role in ROLES:
            about = wanted.get(role)
            if about is None:
                continue
            try:
                path = str(Path(about["path"]).resolve())
                if path not in ready:
                    ready[path] = Version.load(Path(path)).with_changes(store.items_since(0), store)
                loaded[role] = ready[path]
            except InputError as error:
                log.error("the %s model stays as it was: %s", role, error)
        with self._lock:
            self._roles = {"live": self._roles["live"], **loaded}
            self._shares = {role: float(wanted[role].get("share", 0.0)) for role in loaded}
            self._policies.clear()

    def _identify(self, visitor: Visitor) -> None:
        """A request that names both a session and a user says that they are one."""
        if visitor.user_id is None or visitor.session_id is None or self.store is None:
            return
        if self._owners.get(visitor.session_id) != visitor.user_id:
            self.store.identify(visitor)
            self._owners[visitor.session_id] = visitor.user_id
            if len(self._owners) > REMEMBERED:
                self._owners.popitem(last=False)

    def _arms(self, asks: Sequence[Ask], roles: Mapping[Role, Version], shares: Mapping[Role, float]) -> list[Role]:
        """For each request whether its visitor has the live model, or the candidate."""
        if "candidate" not in roles:
            return ["live"] * len(asks)
        test, share = _test(roles), shares.get("candidate", 0.0)
        keys = [ask.visitor.user_id or ask.visitor.session_id for ask in asks]
        return ["candidate" if key is not None and arm(test, key, share) == "candidate" else "live" for key in keys]

    def _answers(
        self, version: Version, asks: Sequence[Ask], pasts: Sequence[Past], now: float
    ) -> list[Given | InputError]:
        return answer(
            version, asks, pasts, lambda slot: self._policy(version, slot, now), now,
            exploring=self.config.exploring, random=self._random,
        )  # fmt: skip

    def _overshadow(
        self,
        version: Version,
        asks: Sequence[Ask],
        pasts: Sequence[Past],
        results: Sequence[Answer | InputError],
        now: float,
    ) -> None:
        """Lets the shadow answer the same requests, later and beside."""
        if self._shadow is None:
            self._shadow = Shadow()

        def pairs() -> list[tuple[Answer, Answer]]:
            given = self._answers(version, asks, pasts, now)
            return [
                (live, shadow.answer)
                for live, shadow in zip(results, given, strict=True)
                if isinstance(live, Answer) and isinstance(shadow, Given)
            ]

        self._shadow.compare(pairs)

    def listed(self, version: Version) -> Shelf:
        """The catalogue without what rules hide in every slot: what pages may show that are no recommendations."""
        rules = {rule_id: rule for rule_id, rule in self._rules.items() if not rule.slots}
        if not rules:
            return version.shelf
        known, until, shelf = self._listed.get(version.shelf, (None, 0.0, version.shelf))
        now = time.time()
        if known is not self._rules or until <= now:
            policy = version.policy(rules, "home", now)
            hidden = frozenset(version.shelf.ids[item - 1] for item in np.flatnonzero(~policy.allowed[1:]) + 1)
            shelf = replace(version.shelf, gone=version.shelf.gone | hidden) if hidden else version.shelf
            self._listed = {version.shelf: (self._rules, policy.until, shelf)}
        return shelf

    def _policy(self, version: Version, slot: Slot, now: float) -> Policy | None:
        """The rules of a slot for a catalogue, compiled once for as long as the same ones hold."""
        if not self._rules:
            return None
        key = (version.shelf, slot)
        policy = self._policies.get(key)
        if policy is None or policy.until <= now:
            policy = version.policy(self._rules, slot, now)
            for problem in policy.problems:
                log.warning("rules of slot %s: %s", slot, problem)
            self._policies[key] = policy
        return policy


_NOTHING = InputError("not answered")


def _parts(asks: Sequence[Ask], arms: Sequence[Role], roles: Mapping[Role, Version]) -> dict[Role, list[int]]:
    """Which model answers which requests: in a slot that has one of its own that, whatever arm the visitor is in."""
    parts: dict[Role, list[int]] = {}
    for n, (ask, arm_of) in enumerate(zip(asks, arms, strict=True)):
        own: Role | None = "again" if ask.slot == "again" else "new" if ask.slot == "new" else None
        parts.setdefault(own if own in roles and own is not None else arm_of, []).append(n)
    return parts


def _test(roles: Mapping[Role, Version]) -> str:
    """The name of the A/B test that runs: another pair of models is another test."""
    return f"{roles['live'].name}:{roles['candidate'].name}"


def _shown(ask: Ask, given: Given, now: float, test: str | None, role: Role) -> Shown:
    answer = given.answer
    return Shown(
        recommendation_id=answer.recommendation_id,
        visitor=Visitor(session_id=answer.recommendation_id) if ask.visitor == NOBODY else ask.visitor,
        time=now,
        slot=ask.slot,
        model=answer.model,
        items=tuple(item.item_id for item in answer.items),
        experiment=test,
        arm=None if test is None else "candidate" if role == "candidate" else "control",
        explored=given.explored,
    )
