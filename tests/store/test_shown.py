import math

import pytest

from endcap.data.errors import InputError
from endcap.store import shown as pages
from endcap.store.records import Shown, Visitor
from endcap.store.store import Store

SHOWN = Shown(
    recommendation_id="r1",
    visitor=Visitor("ann"),
    time=5.0,
    slot="home",
    model="v1",
    items=("tea", "茶"),
    experiment="summer",
    arm="candidate",
    explored=({"place": 1, "pool": ["jam", "rum"], "chance": 0.5},),
)


def test_lists_come_back_as_they_were(store: Store) -> None:
    anonymous = Shown("r2", Visitor(session_id="s"), 4.0, "cart", "v1", ())
    store.log_shown([SHOWN, anonymous])
    store.log_shown([])
    assert list(store.shown()) == [anonymous, SHOWN]
    assert list(store.shown(since=5.0)) == [SHOWN]
    assert list(store.shown(since=5.1)) == []


def test_a_list_that_is_logged_again_stays_as_it_was(store: Store) -> None:
    store.log_shown([SHOWN])
    store.log_shown([Shown("r1", Visitor("bob"), 9.0, "home", "v2", ())])
    assert list(store.shown()) == [SHOWN]


def test_lists_of_a_session_become_the_users(store: Store) -> None:
    store.log_shown([Shown("r1", Visitor(session_id="s"), 1.0, "home", "m", ())])
    store.identify(Visitor("ann", "s"))
    store.log_shown([Shown("r2", Visitor(session_id="s"), 2.0, "home", "m", ())])
    assert [shown.visitor for shown in store.shown()] == [Visitor("ann")] * 2


def test_a_list_that_is_written_late_is_no_login(store: Store) -> None:
    store.identify(Visitor("bob", "s"))
    store.log_shown([Shown("r1", Visitor("ann", "s"), 1.0, "home", "m", ())])
    assert store.export("bob")["sessions"] == ["s"]
    assert [shown.visitor for shown in store.shown()] == [Visitor("ann")]


def test_many_lists_are_read_page_by_page(store: Store) -> None:
    n = pages.PAGE + 10
    store.log_shown([Shown(f"r{place}", Visitor("ann"), float(place // 3), "home", "m", ()) for place in range(n)])
    read = [shown.recommendation_id for shown in store.shown()]
    assert len(read) == len(set(read)) == n


@pytest.mark.parametrize(
    "wrong",
    [{"recommendation_id": "a\0"}, {"visitor": Visitor()}, {"time": math.nan}, {"items": ("\ud83d",)}, {"arm": "\0"}],
)
def test_lists_that_cannot_be_kept_are_refused(store: Store, wrong: dict) -> None:
    good = {"recommendation_id": "r", "visitor": Visitor("a"), "time": 1.0, "slot": "home", "model": "m", "items": ()}
    with pytest.raises(InputError):
        store.log_shown([Shown(**good | wrong)])
    assert list(store.shown()) == []
