"""The file of keys: secret ones for the shop's own machines, public ones for the pages of its visitors.

```toml
[[keys]]
name = "shop backend"
secret = "…"                          # or secret_sha256, so that the file does not hold it
role = "write"                        # or "read"

[[keys]]
name = "shop pages"
public = "pk_shop"                    # anyone can read it in the page
signing_secret = "…"                  # signs visitors and user ids; it stays on the shop's machines
origins = ["https://shop.example"]
```
"""

import hashlib
import hmac
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from endcap.data.errors import InputError


@cache
def rate_of(text: str) -> RateLimitItem:
    """Such as `240/minute`; raises InputError."""
    try:
        rate = parse(text)
    except ValueError as error:
        raise InputError(f"found rate {text!r}; expected a number and a time, such as 240/minute") from error
    if rate.amount < 1:
        raise InputError(f"found rate {text!r}; expected at least 1")
    return rate


def _origin(text: str) -> str:
    """As browsers write it."""
    parts = urlsplit(text)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or text != f"{parts.scheme}://{parts.netloc}".lower()
    ):
        raise ValueError(
            f"found origin {text!r}; expected scheme and host in small letters, such as https://shop.example"
        )
    return text


def _rate(text: str) -> str:
    rate_of(text)
    return text


Secret = Annotated[str, Field(min_length=20, max_length=512, pattern="^[!-~]+$")]  # what a header can carry
Rate = Annotated[str, AfterValidator(_rate)]


class _Key(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=100)]
    rate: Rate | None = None  # of all who use it together, in each worker


class SecretKey(_Key):
    """May read, or read and write, everything."""

    secret: Secret | None = None
    secret_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    role: Literal["write", "read"]

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.secret is None) == (self.secret_sha256 is None):
            raise ValueError("expected either secret or secret_sha256")
        return self

    @property
    def digest(self) -> bytes:
        """SHA-256 of the secret."""
        if self.secret is not None:
            return hashlib.sha256(self.secret.encode()).digest()
        return bytes.fromhex(self.secret_sha256 or "")


class PublicKey(_Key):
    """May post events and ask for lists, from some pages, for a visitor whose token this key has signed."""

    public: Annotated[str, Field(pattern=r"^pk_[\w-]{1,100}$")]
    signing_secret: Secret
    origins: Annotated[frozenset[Annotated[str, AfterValidator(_origin)]], Field(min_length=1)]


LOCAL_KEY = PublicKey(
    name="local",
    public="pk_local",
    signing_secret="without-keys-nothing-is-secret",
    origins=frozenset({"http://localhost"}),
)
"""Signs visitors where there is no file of keys: pages in development work as they will work later."""


@dataclass(frozen=True)
class Keys:
    """Every key there is."""

    secret: tuple[tuple[bytes, SecretKey], ...]  # by SHA-256
    public: Mapping[str, PublicKey]

    def find_secret(self, text: str) -> SecretKey | None:
        """In a time that does not tell how near a guess was."""
        digest, found = hashlib.sha256(text.encode()).digest(), None
        for each, key in self.secret:
            if hmac.compare_digest(each, digest):
                found = key
        return found


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: Annotated[
        list[
            Annotated[
                Annotated[SecretKey, Tag("secret")] | Annotated[PublicKey, Tag("public")],
                Discriminator(lambda entry: "public" if isinstance(entry, dict) and "public" in entry else "secret"),
            ]
        ],
        Field(min_length=1),
    ]


_FILE: TypeAdapter[_File] = TypeAdapter(_File)


def load_keys(path: Path) -> Keys:
    """Reads the file; raises InputError naming what is wrong, without what it holds."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the keys in {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is no TOML; see docs/api.md for what a file of keys looks like") from error
    try:
        entries = _FILE.validate_python(document).keys
    except ValidationError as error:
        raise InputError(f"{path}: {'; '.join(_explain(problem) for problem in error.errors())}") from None
    secret = tuple((key.digest, key) for key in entries if isinstance(key, SecretKey))
    public = {key.public: key for key in entries if isinstance(key, PublicKey)}
    names = {key.name for key in entries}
    if len(names) < len(entries) or len({digest for digest, _ in secret}) + len(public) < len(entries):
        raise InputError(f"{path}: found a key or a name twice; expected each once")
    return Keys(secret, public)


def _explain(problem: Any) -> str:
    place = ".".join(str(part) for part in (*problem["loc"][:2], *problem["loc"][3:]))  # the third is the union's tag
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}"
