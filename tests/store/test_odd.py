import pytest

from endcap.data.errors import InputError
from endcap.store.records import OddRow
from endcap.store.store import Store

PRICE = OddRow("tea", "price", "999", "Green tea", "2 to 5", "price 999: its nearest cost 2 to 5", 0.9)
PLACE = OddRow("milk", "category", "Toys", "Milk", "Dairy", "category Toys: its nearest are in Dairy", 0.7)


def test_what_is_called_right_stays_when_all_else_is_found_anew(store: Store) -> None:
    store.put_odd("one", [PLACE, PRICE], now=1.0)
    assert store.odd_rows() == [PRICE, PLACE]
    assert store.set_right("tea", "price", "999", by="ann", now=2.0)
    assert not store.set_right("tea", "price", "998", by="ann", now=2.0)
    store.put_odd("two", [PRICE], now=3.0)
    assert store.odd_rows() == [PRICE._replace(right_by="ann", right_at=2.0)]
    with pytest.raises(InputError, match="by"):
        store.set_right("tea", "price", "999", by="", now=2.0)


def test_one_looks_for_all_and_not_again_at_once(store: Store) -> None:
    assert store.odd_state() == {}
    assert store.claim_odd("one", now=0.0, pause=60)
    assert not store.claim_odd("one", now=30.0, pause=60)
    assert store.claim_odd("one", now=61.0, pause=60)  # whoever began has ended without a result
    store.put_odd("one", [], now=62.0)
    assert not store.claim_odd("one", now=1e6, pause=60)  # the same catalogue
    assert not store.claim_odd("two", now=63.0, pause=60)
    assert store.claim_odd("two", now=200.0, pause=60)
    assert store.odd_state() == {"of": "two", "at": 200.0, "done": False}
