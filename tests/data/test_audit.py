"""What the leakage audit says, in words for people."""

import pytest

from endcap.data.audit import audit
from endcap.data.split import split
from tests.worlds import table


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (1_508_615_606.0, "latest training event 2017-10-21 19:53:26 UTC, earliest test event 2017-10-21 21:53:26 UTC"),
        (1e15, "latest training event 1,000,000,000,000,000, earliest test event 1,000,000,000,007,200"),
    ],
)
def test_times_are_dates_where_they_can_be(start: float, said: str) -> None:
    events = [
        {"user_id": "u", "item_id": "i", "time": start + 3600.0 * hour, "part": part}
        for hour, part in ((0.0, "train"), (1.0, "valid"), (2.0, "test"))
    ]
    log = table(events)
    assert audit(log, split(log), "temporal")[0].detail == said
