import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.interactions import KIND_INDEX
from endcap.data.questions import Questions
from endcap.data.schema import GOALS
from endcap.data.split import split
from endcap.describe import describe
from endcap.engine.version import Version
from endcap.examples import history_of, top_items
from endcap.experiment import trained_until
from endcap.live_log import asked_of, cuts, read
from endcap.store.records import Event, Visitor
from endcap.store.store import Store
from endcap.trial import held_back
from endcap.update import update
from tests.shops import DAY, ITEMS, OPENED, PAST, TRAINED_UNTIL, config, dataset, opened, trained, walk

NOW = OPENED + 30 * DAY
PRESENT = walk(21, 29, seed=2, new=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("made") / "shop", config())


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "shop"))


@pytest.fixture(scope="module")
def made_counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("counted") / "shop", config("transitions"))


@pytest.fixture
def counted(made_counted: Path, tmp_path: Path) -> Path:
    """The quickest model to update."""
    return Path(shutil.copytree(made_counted, tmp_path / "shop"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened_store = opened(tmp_path, PAST, PRESENT)
    yield opened_store
    opened_store.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def nexts(artifact: Artifact, item_id: str) -> list[str]:
    history, _ = history_of([item_id], artifact)
    return [line.id for line in top_items(artifact, history, 2)]


def test_a_product_that_came_after_training_is_learned_and_the_new_model_is_live(out: Path, store: Store) -> None:
    before = contents(out)
    assert "new" not in artifacts.load(out).vocabulary.ids
    found = update(out, store, now=NOW)
    assert found.state == "promoted"
    assert found.new == str(out.parent / "shop-versions" / "20250715T150640Z")
    assert store.models("shop")["live"]["path"] == found.new
    assert contents(out) == before
    assert store.models("shop")["previous"]["path"] == str(out)  # there is a way back from the first update, too
    artifact = artifacts.load(Path(found.new))
    assert set(nexts(artifact, "i5")) == {"i6", "new"}  # for most of the time i6 came next
    assert nexts(artifact, "new")[0] == "i6"
    assert found.new_items == 1
    assert found.compared is not None
    assert found.compared.new["ndcg@10"] > found.compared.live["ndcg@10"] + 0.05
    assert found.compared.difference.low > 0
    assert found.reason.startswith("The new model is live: on the newest days it has NDCG@10 ")
    assert (found.events, found.live) == (len(PAST) + len(PRESENT), str(out))


def test_figures_are_those_from_before_the_last_fit_and_nothing_later_was_seen(out: Path, store: Store) -> None:
    found = update(out, store, now=NOW)
    assert found.new is not None
    assert found.compared is not None
    assert found.cuts is not None
    artifact = artifacts.load(Path(found.new))
    times = store.events_table()["time"].to_numpy()
    assert artifact.facts["metrics"]["ndcg@10"] == found.compared.new["ndcg@10"]
    assert artifact.facts["measured_from"] == found.cuts[1]
    assert artifact.facts["protocol"] == "update"
    assert trained_until(artifact) == math.nextafter(times.max(), math.inf)
    assert artifact.facts["cuts"][1] == trained_until(artifact)  # what `endcap evaluate` asks from
    assert artifact.config == artifacts.load(out).config  # the cuts were those of one update
    assert TRAINED_UNTIL < found.cuts[0] < found.cuts[1] < times.max()


def test_an_update_goes_on_from_the_one_before(out: Path, store: Store) -> None:
    first = update(out, store, now=NOW)
    again = update(out, store, now=NOW + 60)
    assert again.state == "unchanged"
    assert again.live == first.new
    assert again.reason.startswith("Nothing is newer than what the live model was trained on; the newest event is of 2")
    assert store.models("shop")["live"]["path"] == first.new
    store.record(walk(30, 36, seed=3, new=True), now=NOW)
    third = update(out, store, now=NOW + 7 * DAY)
    assert third.live == first.new
    assert third.trained_until > first.trained_until
    assert third.state in ("promoted", "kept")
    if third.new is not None:
        assert store.models("shop")["previous"]["path"] == first.new


def test_nothing_newer_changes_nothing(counted: Path, tmp_path: Path) -> None:
    store = opened(tmp_path, [event for event in PAST if (event.time or 0) < TRAINED_UNTIL])
    found = update(counted, store, now=NOW)
    assert (found.state, found.new, found.new_events) == ("unchanged", None, 0)
    assert store.models("shop") == {}
    store.close()


def test_a_dry_run_measures_and_changes_nothing(counted: Path, store: Store) -> None:
    found = update(counted, store, now=NOW, dry_run=True)
    assert (found.state, found.new) == ("tried", None)
    assert found.reason.startswith("The new model would become live")
    assert store.models("shop") == {}
    assert not (counted.parent / "shop-versions").exists()


def test_a_worse_model_is_not_promoted(out: Path, store: Store) -> None:
    live = artifacts.load(out)
    ruinous = replace(live.config.train, learning_rate=30.0, clip=0.0, epochs=1)
    artifacts.save(replace(live, config=replace(live.config, train=ruinous)), out)
    found = update(out, store, now=NOW)
    assert found.state == "kept"
    assert found.compared is not None
    assert found.compared.difference.value < 0
    assert found.reason.startswith("The live model stays")
    assert store.models("shop") == {}
    assert not (out.parent / "shop-versions").exists()


SCRIPT = """
import sys
import time
from pathlib import Path
from endcap.store.store import Store
from endcap.update import update
out, now = Path(sys.argv[1]), float(sys.argv[2])
def say(step):
    print(step, flush=True)
    time.sleep(0.05)
update(out, Store.open(f"sqlite:///{out.parent / 'shop.db'}"), now=now, on_step=say)
"""


@pytest.mark.parametrize("last", ["saving"])
def test_killed_it_can_be_run_again(counted: Path, store: Store, last: str) -> None:
    command = [sys.executable, "-c", SCRIPT, str(counted), str(NOW)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == last:
                child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    assert store.models("shop") == {}
    assert update(counted, store, now=NOW).state == "promoted"


def test_another_model_that_became_live_meanwhile_stays_live(counted: Path, store: Store, tmp_path: Path) -> None:
    other = str(tmp_path / "other")

    def promote(step: str) -> None:
        if step == "saving":
            store.set_model("shop", "live", other, by="someone", now=NOW)

    with pytest.raises(InputError, match="another model became live meanwhile"):
        update(counted, store, now=NOW, on_step=promote)
    assert store.models("shop")["live"]["path"] == other


def test_who_was_forgotten_is_in_no_next_model(counted: Path, store: Store) -> None:
    secret = [Event(Visitor("ann"), item_id, "view", OPENED + 25 * DAY + step) for step, item_id in
              enumerate(["i1", "secret", "i2"])]  # fmt: skip
    store.record(secret, now=NOW)
    assert "secret" in read(store, Version.load(counted), NOW).validated.events.toArrow()["item_id"].to_pylist()
    store.forget("ann", now=NOW)
    found = update(counted, store, now=NOW)
    assert found.new is not None
    assert "secret" not in artifacts.load(Path(found.new)).vocabulary.ids


def test_what_was_shown_clicked_or_taken_out_is_never_asked_for(out: Path, store: Store) -> None:
    others = [
        replace(event, kind=kind, time=(event.time or 0) + 7, event_id=f"{event.event_id}-{kind}")
        for event in PRESENT
        for kind in ("impression", "click", "remove")
    ]
    store.record(others, now=NOW)
    version = Version.load(out)
    log = read(store, version, NOW)
    assert set(log.validated.events.toArrow()["kind"].to_pylist()) == {"view", "click", "remove"}
    trial = held_back("shop", version, log, TRAINED_UNTIL, 3)
    parts = split(trial.dataset.table)
    goals = {KIND_INDEX[kind] for kind in GOALS}
    assert {*parts.valid.goals.tolist(), *parts.test.goals.tolist()} <= goals
    draws = Questions.of(parts.train).draw(np.random.default_rng(0), 0.5)
    assert set(parts.train.kinds[draws[draws >= 0]].tolist()) <= goals
    assert len(parts.train.kinds) > (draws >= 0).sum() > 0


def test_both_models_answer_the_same_questions(out: Path, store: Store) -> None:
    clicks = [replace(event, kind="click", time=(event.time or 0) + 7, event_id=None) for event in PRESENT]
    store.record(clicks, now=NOW)
    version = Version.load(out)
    trial = held_back("shop", version, read(store, version, NOW), TRAINED_UNTIL, 3)
    new = split(trial.dataset.table).test
    live = asked_of(version, trial.dataset.table, trial.cuts[1], trial.config)
    assert live.user_ids == new.user_ids
    assert live.asked is not None
    assert new.asked is not None
    np.testing.assert_array_equal(live.asked, new.asked)
    assert live.asked.min() >= trial.cuts[1]
    view, click = KIND_INDEX["view"], KIND_INDEX["click"]
    assert set(live.histories.kinds.tolist()) == {view}  # it never learned of clicks: they are views to it
    assert set(new.histories.kinds.tolist()) == {view, click}
    assert (live.targets == 0).any()  # the new product: it cannot show it, and that counts


def test_events_of_a_time_to_come_are_left_out_and_said(counted: Path, store: Store) -> None:
    store.record([Event(Visitor("v"), "i1", "view", NOW + 1000 * DAY)], now=NOW)
    found = update(counted, store, now=NOW, dry_run=True)
    assert found.newest < NOW
    assert "1 events cannot be used, such as those of a time to come" in found.notes


def test_a_store_without_the_past_is_said(counted: Path, tmp_path: Path) -> None:
    store = opened(tmp_path, PRESENT)
    found = update(counted, store, now=NOW, dry_run=True)
    assert "would forget what that was trained on" in " ".join(found.notes)
    store.close()


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "found no event to learn from in the store; `endcap load EVENTS"),
        ([Event(Visitor("v"), "i1", "impression", TRAINED_UNTIL + 1)], "found no event to learn from"),
        ([Event(Visitor("v"), "i1", "click", TRAINED_UNTIL + 1)], "found no event that can be predicted"),
        (PAST, "expected at least 30 of each: wait for more events"),
        ([Event(Visitor(user), "i1", "view", TRAINED_UNTIL + 1) for user in "vw"], "all at one time"),
    ],
)  # fmt: skip
def test_too_little_is_said_and_changes_nothing(counted: Path, tmp_path: Path, events: list[Event], said: str) -> None:
    store = opened(tmp_path, events)
    with pytest.raises(InputError, match=said):
        update(counted, store, now=NOW)
    assert store.models("shop") == {}
    store.close()


def test_an_artifact_that_says_no_time_is_refused(counted: Path, store: Store) -> None:
    live = artifacts.load(counted)
    untimed = {name: value for name, value in live.facts.items() if name not in ("cuts", "trained_until")}
    artifacts.save(replace(live, facts=untimed), counted)
    with pytest.raises(InputError, match="does not say up to when it was trained"):
        update(counted, store, now=NOW)
    with pytest.raises(InputError, match="expected more than 0"):
        update(counted, store, now=NOW, newest_days=0)


def test_a_counting_model_is_counted_anew(counted: Path, store: Store) -> None:
    found = update(counted, store, now=NOW)
    assert (found.state, found.epochs) == ("promoted", 0)
    assert found.new is not None
    assert set(nexts(artifacts.load(Path(found.new)), "i5")) == {"i6", "new"}


def test_the_newest_days_and_validation_come_after_training() -> None:
    times = np.arange(0.0, 100 * DAY, DAY / 10)
    assert cuts(times, 10 * DAY, 3) == (pytest.approx(93.8 * DAY), pytest.approx(96.9 * DAY))
    valid, test = cuts(times, 98 * DAY, 3)  # two new days: the newer half, then the later half of the rest
    assert (valid, test) == (pytest.approx(98.5 * DAY), pytest.approx(98.95 * DAY))
    closed = np.concatenate([times[times < 50 * DAY], times[times >= 96.85 * DAY]])
    assert cuts(closed, 10 * DAY, 3) == (pytest.approx(46.9 * DAY), pytest.approx(96.9 * DAY))
    with pytest.raises(InputError, match="found 1 new events, all at one time"):
        cuts(times, float(times[-1]), 3)


def test_the_encoders_stay_and_describe_what_is_new(tmp_path: Path, store: Store) -> None:
    """Categories say where a product stands on the circle; the new one has one before it has an event."""
    small = {"encoder": [8], "decoder": [8], "code": 4, "epochs": 3}
    settings = config(features={"use": ["tabular"], "autoencoder": small})
    rows = [{"item_id": f"i{n}", "title": f"Thing {n}", "category": f"c{n // 3}", "price": float(n)} for n in range(12)]
    past = replace(dataset(PAST, settings), items=Catalog.from_table(pa.Table.from_pylist(rows), ITEMS).table)
    out = trained(tmp_path / "shop", settings, describe(settings, past), data=past)
    store.put_items([
        {"item_id": "new", "title": "New", "category": "c1", "price": 5.5},
        {"item_id": "i0", "price": 99.0},
        {"item_id": "never", "title": "Never bought"},
    ])  # fmt: skip
    store.delete_items(["i1", "never"])
    found = update(out, store, now=NOW)
    assert found.new is not None
    before, after = artifacts.load(out), artifacts.load(Path(found.new))
    assert Version.load(out).encoders == Version.load(Path(found.new)).encoders
    assert before.described is not None
    assert after.described is not None
    place = after.vocabulary.index(["new", "i0", "i2"])
    assert after.catalog.titles[place[0]] == "New"
    assert after.catalog.prices[place[1]] == 99.0
    assert after.catalog.titles[place[2]] == "Thing 2"
    assert "i1" in after.vocabulary.ids  # taken out of the shop, and still in the histories
    assert "never" not in after.vocabulary.ids
    vectors, old = after.described.products.content.vectors, before.described.products.content.vectors
    assert vectors[place[0]].any()
    assert (vectors[place[1]] != old[before.vocabulary.index(["i0"])[0]]).any()  # its price is another
    np.testing.assert_array_equal(vectors[place[2]], old[before.vocabulary.index(["i2"])[0]])
