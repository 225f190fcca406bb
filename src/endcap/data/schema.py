"""The canonical tables: what every source is turned into, and what everything later reads.

`events`, one row per event:

| column   | type          | meaning                                                                      |
|----------|---------------|------------------------------------------------------------------------------|
| row      | bigint        | the record's number in its file, from 1; breaks ties of time                 |
| user_id  | string        | who (a visitor, or an anonymous session)                                     |
| item_id  | string        | what                                                                         |
| kind     | string        | one of KINDS                                                                 |
| time     | double, null  | seconds since 1970 UTC; null throughout where the source has none            |
| rating   | double, null  | as given                                                                     |
| price    | double, null  | of one piece                                                                 |
| quantity | double, null  | pieces                                                                       |
| part     | string, null  | `train`, `history` (only the context of a test question) or `test`, where the source has its own split |
"""

KINDS = ("view", "cart", "purchase", "review", "impression", "click", "remove")
"""What a user can do to an item. Index 0 is kept for padding: kind `view` is 1 in arrays."""

GOALS = ("view", "cart", "purchase", "review")
"""Kinds that can be predicted; the others are never training targets."""

EVENT_COLUMNS = ("row", "user_id", "item_id", "kind", "time", "rating", "price", "quantity", "part")

ITEM_COLUMNS = (
    "item_id", "title", "category", "brand", "price", "rating", "rating_count", "stock", "description", "image",
)
"""The catalogue's canonical columns; all but item_id may be missing. Other columns of a source are kept as they are."""
