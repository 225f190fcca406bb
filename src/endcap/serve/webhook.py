"""JSON sent to an address, with a time limit and some tries."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

from endcap.data.errors import InputError

AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which it is worth trying again."""


@dataclass(frozen=True)
class Delivery:
    """How hard it is tried."""

    timeout: float = 10.0  # seconds of a try
    tries: int = 4
    wait: float = 1.0  # seconds before the second try; twice as long before each one after that


def check_address(url: str) -> str:
    """The address as it is; raises InputError where nothing can be sent there."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or a bracket that is none
        usable = False
    if not usable or any(each.isspace() or not each.isprintable() for each in url):
        raise InputError(f"found address {url!r}; expected one such as https://hooks.example.com/endcap")
    return url


def send(url: str, body: Mapping[str, Any], delivery: Delivery) -> int:
    """Posts a body and gives the tries that it took; raises InputError where it was not taken. Follows no redirect."""
    return asyncio.run(_send(check_address(url), body, delivery))


async def _send(url: str, body: Mapping[str, Any], delivery: Delivery) -> int:
    shown, problem = _without_secrets(url), ""
    async with ClientSession(timeout=ClientTimeout(total=delivery.timeout)) as session:
        for tried in range(1, delivery.tries + 1):
            if tried > 1:
                await asyncio.sleep(delivery.wait * 2 ** (tried - 2))
            try:
                async with session.post(url, json=dict(body), allow_redirects=False) as answer:
                    status = answer.status
            except TimeoutError:
                problem = f"no answer within {delivery.timeout:g} seconds"
                continue
            except ClientError as error:
                problem = str(error) or type(error).__name__
                continue
            if status < 300:
                return tried
            problem = f"status {status}"
            if status not in AGAIN:
                raise InputError(f"{shown} did not take the message: {problem}; check the address")
    raise InputError(f"{shown} did not take the message in {delivery.tries} tries: {problem}")


def _without_secrets(url: str) -> str:
    """An address for people and logs: those of webhooks are secret in path and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{'' if parts.port is None else f':{parts.port}'}"
