"""S3-Rec's item2attributes.json: one JSON object, item -> the ids of its attributes; .gz as well."""

import gzip
import json
import re
from typing import Any

from endcap.data.backend import Backend
from endcap.data.errors import InputError
from endcap.data.sources.money import Problem
from endcap.data.sources.nested import refuse_mapping
from endcap.data.sources.products import Export, Record, fold
from endcap.data.sources.source import Source, is_gzip
from endcap.data.sources.tables import Format, Items, Mapped

_BEGINS = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\[[^\]\[{}]*[\],]')


def read_catalogue(backend: Backend, source: Source, given: Mapped) -> Items:
    """The catalogue has `attributes` alone: a list of ids."""
    refuse_mapping(given, source, "attributes")
    file = source.files[0]
    try:
        with gzip.open(file, "rt", encoding="utf-8") if is_gzip(file) else file.open(encoding="utf-8") as stream:
            pairs = json.load(stream, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError, EOFError, OSError) as error:
        raise InputError(f"{file} is no whole JSON: {error}; expected one object of item -> [attribute, …]") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise InputError(f"{file} is no JSON object; expected item -> [attribute, …]")
    problems: list[Problem] = []
    records = []
    for row, (item, values) in enumerate(pairs, start=1):
        if _is_list(values):
            records.append(Record(row, item, (item,), {"attributes": [str(value) for value in values]}))
        else:
            fault = "expected a list of ids; row left out"
            problems.append((row, "attributes", json.dumps(values)[:200], fault))
    columns = {"item_id": "keys", "attributes": "values"}
    return fold(backend, source, Export("attributes", records, columns, problems))


def _is_list(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str | int) for value in values)


def _recognises(source: Source) -> bool:
    return not source.path.is_dir() and source.is_json and bool(_BEGINS.match(source.head))


CATALOGUE: Format[Items] = Format(
    "attributes", "one JSON object of item -> [attribute, …]", _recognises, read_catalogue,
    accepts=lambda source: source.is_json,
)  # fmt: skip
