"""What a file of keys may hold."""

import hashlib
from pathlib import Path

import pytest

from endcap.data.errors import InputError
from endcap.serve.keys import load_keys, rate_of
from tests.serve.conftest import KEYS, READER, SECRET


def written(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_keys_are_found_by_their_secret(keys: Path) -> None:
    found = load_keys(keys)
    named = {secret: key.name for secret in (SECRET, READER, "no") if (key := found.find_secret(secret))}
    assert named == {SECRET: "backend", READER: "dashboard"}
    assert found.public["pk_shop"].origins == {"https://shop.example"}


def test_a_file_need_not_hold_the_secret(tmp_path: Path) -> None:
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    text = KEYS.replace(f'secret = "{SECRET}"', f'secret_sha256 = "{digest}"')
    assert load_keys(written(tmp_path, text)).find_secret(SECRET).name == "backend"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("role", "rule", "keys.0.rule: Extra inputs"),
        (SECRET, "short", "keys.0.secret: String should have at least 20"),
        (f'secret = "{SECRET}"', "", "either secret or secret_sha256"),
        ('"write"', '"all"', "keys.0.role"),
        ("pk_shop", "shop", "keys.2.public"),
        ("https://shop.example", "https://shop.example/", "keys.2.origins.0: found origin"),
        ("https://shop.example", "*", "keys.2.origins.0: found origin"),
        ("dashboard", "backend", "twice"),
        (READER, SECRET, "twice"),
        ("[[keys]]", "[[key]]", "keys"),
        ('"backend"', '"backend"\nrate = "fast"', "found rate 'fast'"),
        ('"backend"', '"backend', "is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_without_telling_secrets(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected.replace("[", r"\[")) as error:
        load_keys(written(tmp_path, KEYS.replace(old, new)))
    assert SECRET not in str(error.value)
    assert READER not in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the keys"):
        load_keys(tmp_path / "none.toml")


def test_rates() -> None:
    assert rate_of("240/minute").get_expiry() == 60
    for wrong in ("many", "0/minute", ""):
        with pytest.raises(InputError, match="found rate"):
            rate_of(wrong)
