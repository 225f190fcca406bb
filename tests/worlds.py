"""Small worlds whose right answers are known."""

import numpy as np
import pyarrow as pa

from endcap.data.split import Split, split

COLUMNS = {
    "row": pa.int64(),
    "user_id": pa.string(),
    "item_id": pa.string(),
    "kind": pa.string(),
    "time": pa.float64(),
    "rating": pa.float64(),
    "price": pa.float64(),
    "quantity": pa.float64(),
    "part": pa.string(),
}


def table(events: list[dict]) -> pa.Table:
    """The canonical events table; what an event does not say is null, its kind `view`, its row its place."""
    rows = [{"kind": "view", "row": row, **event} for row, event in enumerate(events, start=1)]
    return pa.table({name: pa.array([row.get(name) for row in rows], kind) for name, kind in COLUMNS.items()})


def circle_table(
    n_items: int = 12, n_users: int = 60, seed: int = 0, *, timed: bool = True, kinds: tuple[str, ...] = ("view",)
) -> pa.Table:
    """Users walk a circle of items, 3 to 9 steps: after item i comes i + 1. Last step test, last but one valid."""
    random = np.random.default_rng(seed)
    events = []
    for user in range(n_users):
        start, length = int(random.integers(n_items)), int(random.integers(3, 10))
        for step in range(length):
            part = {length - 1: "test", length - 2: "valid"}.get(step, "train")
            time = 1_000_000.0 + 1000 * user + 60 * step if timed else None
            events.append(
                {
                    "user_id": f"u{user}",
                    "item_id": f"i{(start + step) % n_items}",
                    "time": time,
                    "kind": kinds[step % len(kinds)],
                    "price": 1.0 + (start + step) % n_items,
                    "part": part,
                }
            )
    return table(events)


def circle(**world: object) -> Split:
    """The circle, split."""
    return split(circle_table(**world))  # type: ignore[arg-type]


def next_item(parts: Split, item: int) -> int:
    """The index of the item after one on the circle."""
    vocabulary = parts.train.vocabulary
    n = len(vocabulary)
    number = int(vocabulary.id(item)[1:])
    return int(vocabulary.index([f"i{(number + 1) % n}"])[0])
