"""How the server is set up; `endcap serve` fills it from its options, workers read it from their environment."""

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from endcap.data.errors import InputError
from endcap.serve.storefront.config import StorefrontConfig


@dataclass(frozen=True)
class ServeConfig:
    """Numbers are for each worker: what is counted, is counted in its memory."""

    out: Path  # the artifact; what may go live lies in the same folder
    db: str | None = None  # None: no events, no changes, lists alone
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    keys: Path | None = None  # None: everything is allowed, to this machine alone
    explore: int = 0  # of the last places of a list that are left to chance, and written down (docs/experiments.md)
    rate: str = "240/minute"  # of a visitor with a public key
    address_rate: str = "2400/minute"  # of an address with a public key; a school or an office may share one
    body: int = 1_000_000  # bytes of a request, at most
    photo: int = 10_000_000  # bytes of a photo, at most
    timeout: float = 10.0  # seconds for a request with its answer
    batch: int = 64  # requests that the engine answers in one call
    waiting: int = 2_000  # requests that may wait for it; more are told to come back
    refresh: float = 1.0  # seconds between two looks for a new model in an idle server
    timezone: str = "UTC"  # of the shop, as IANA names it: what the console's times and days are in
    visitor_days: int = 365  # how long a visitor's token is good
    storefront: bool | None = None  # the shop at /; None: where there are no keys
    shop: StorefrontConfig = field(default_factory=StorefrontConfig)
    grace: int = 10  # seconds that requests may take to end when the server stops

    @property
    def has_storefront(self) -> bool:
        """Whether the shop's pages are served."""
        return self.keys is None if self.storefront is None else self.storefront


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name; raises InputError where there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"found time zone {name!r}; expected an IANA name such as Europe/Berlin") from None
