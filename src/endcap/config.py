"""The TOML of an experiment: the sections that live beside their code, composed and checked."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import tomli_w
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from endcap.data.clean import CleanConfig
from endcap.data.dataset import DataConfig
from endcap.data.errors import InputError
from endcap.data.mark import SplitConfig
from endcap.features.products import FeaturesConfig
from endcap.models import ModelConfig
from endcap.training import TrainConfig


@dataclass(frozen=True)
class Config:
    """One experiment."""

    data: DataConfig
    model: Annotated[ModelConfig, Field(discriminator="name")]
    clean: CleanConfig = field(default_factory=CleanConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    features: FeaturesConfig = field(default_factory=FeaturesConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def sections(of: type) -> set[type]:
    """A dataclass and those that its fields hold."""
    found = {of}
    for kind in get_type_hints(of).values():
        for part in (kind, *get_args(kind)):
            if is_dataclass(part) and isinstance(part, type):
                found |= sections(part)
    return found


# The sections are plain dataclasses; here they learn that an unknown key is an error, not a shrug.
for _section in sections(Config):
    _section.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]
_CONFIG: TypeAdapter[Config] = TypeAdapter(Config)
_DATA: TypeAdapter[DataConfig] = TypeAdapter(DataConfig)
_MODEL: TypeAdapter[ModelConfig] = TypeAdapter(Annotated[ModelConfig, Field(discriminator="name")])


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a TOML file; `overrides` are `section.key=value`, the value in TOML (or a bare word)."""
    document = read(path)
    override(document, overrides)
    return check(document, str(path))


def read(path: Path) -> dict[str, Any]:
    """A TOML file as it is, not yet checked."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"found no file {path}; expected a TOML with [data] and [model]") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error


def data(path: Path) -> DataConfig:
    """The [data] of a TOML, whatever else is in it; raises InputError where it has none."""
    document = read(path)
    try:
        return _DATA.validate_python(document.get("data", {}))
    except ValidationError as error:
        raise InputError(f"{path}: {_explain(error)}") from error


def check(document: Mapping[str, Any], name: str) -> Config:
    """A Config from plain dictionaries; raises InputError naming each wrong key.

    [tune] is no part of it: `endcap tune` alone reads and checks it, so that one file serves both.
    """
    try:
        return _CONFIG.validate_python({name: each for name, each in document.items() if name != "tune"})
    except ValidationError as error:
        raise InputError(f"{name}: {_explain(error)}") from error


def model(name: str, **fields: Any) -> ModelConfig:
    """The config of a model by its name, with its defaults."""
    try:
        return _MODEL.validate_python({"name": name, **fields})
    except ValidationError as error:
        raise InputError(f"model {name!r}: {_explain(error)}") from error


def model_names() -> tuple[str, ...]:
    """The names that [model] takes."""
    names: list[str] = []
    for section in get_args(ModelConfig):
        names += get_args(section.__dataclass_fields__["name"].type)
    return tuple(names)


def dumps(config: Config) -> str:
    """The TOML that `load` reads back to an equal Config."""
    return tomli_w.dumps(without_none(asdict(config)))


def without_none(value: Any) -> Any:
    """TOML has no null: a key that is not there means the default."""
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    return [without_none(each) for each in value] if isinstance(value, list | tuple) else value


def override(document: dict[str, Any], settings: Sequence[str]) -> None:
    """Changes a document by `section.key=value`; raises InputError where one is none."""
    for setting in settings:
        key, equals, text = setting.partition("=")
        *sections, name = key.strip().split(".")
        if not equals or not sections or not name:
            raise InputError(f"found --set {setting!r}; expected section.key=value, such as train.epochs=20")
        place: Any = document
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise InputError(f"found --set {setting!r}, but {section} is no section")
        try:
            place[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            place[name] = text  # a bare word


def _explain(error: ValidationError) -> str:
    """One line per wrong key: found, expected."""
    lines = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
            lines.append(f"unknown key {place}; see docs/configuration.md for the keys there are")
        elif problem["type"] == "union_tag_invalid":
            expected = ", ".join(model_names())
            lines.append(f"found {place}.name = {problem['input']['name']!r}; expected one of {expected}")
        elif problem["type"] == "value_error":
            lines.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}")
        elif problem["type"] == "missing":
            lines.append(f"missing key {place}")
        else:
            lines.append(f"{place}: found {problem['input']!r}; {problem['msg'].lower()}")
    return "; ".join(lines)
