"""Photos from addresses in a catalogue, politely, and never from inside the network that endcap runs in."""

import asyncio
import hashlib
import ipaddress
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from endcap.data.errors import InputError
from endcap.data.photos.files import CLIPS, MOST_BYTES, File, extension, of_path

USER_AGENT = "endcap/0.1 (product photos; a catalogue names this address)"

_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"\x1a\x45\xdf\xa3")
_REDIRECTS = (301, 302, 303, 307, 308)
_BUSY = (429, 503)
_SILENT = 5


@dataclass(frozen=True)
class Network:
    """How addresses are asked."""

    at_once: int = 16
    per_host: int = 4
    seconds: float = 60.0  # for one address, its redirects and retries apart
    redirects: int = 5
    retries: int = 2  # of a host that says it is busy
    longest_wait: float = 30.0  # seconds, whatever its Retry-After says
    most_bytes: int = MOST_BYTES["photo"]
    most_clip_bytes: int = MOST_BYTES["clip"]
    allow_private: bool = False  # addresses of this machine and its network


@dataclass(frozen=True)
class Downloads:
    """What is there now, by address, and why the rest is not."""

    files: dict[str, File] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def download(
    addresses: Sequence[str],
    folder: Path,
    *,
    network: Network,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Downloads:
    """Fetches what is not in `folder` yet; what failed before is tried again. InputError where it cannot write."""
    found = Downloads()
    wanted = []
    for address in dict.fromkeys(addresses):
        place = _place(folder, address)
        if place.is_file():
            found.files[address] = of_path(place, address)
        else:
            wanted.append(address)
    if wanted:
        _finish(_Run(folder, network, found, on_progress, len(found.files) + len(wanted)).all(wanted))
    return found


def _finish(work: Coroutine[None, None, None]) -> None:
    """Also inside a notebook, where an event loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
    else:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, work).result()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also where it is wrapped in an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:  # such as 127.1, which the system would take for an address
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in ipaddress.ip_network("64:ff9b::/96") else None
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None) or nat64
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class _PrivateAddressError(OSError):
    pass


class _PublicResolver(AbstractResolver):
    """Gives only public addresses of a name, to the very connection that is made, so that no later answer differs."""

    def __init__(self) -> None:
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise _PrivateAddressError(f"{host} is a private address")
        return public

    async def close(self) -> None:
        await self._system.close()


def _public_socket(place: tuple[object, ...]) -> socket.socket:
    """The last door, which addresses that are no names pass as well (aiohttp resolves only names)."""
    family, kind, protocol, _, end = place
    if not is_public(str(end[0])):  # type: ignore[index]
        raise _PrivateAddressError(f"{end[0]} is a private address")  # type: ignore[index]
    return socket.socket(family, kind, protocol)  # type: ignore[arg-type]


class _FailedError(Exception):
    pass


class _BusyError(_FailedError):
    def __init__(self, status: int, wait: float) -> None:
        super().__init__(f"HTTP {status}: busy")
        self.wait = wait


class _Run:
    """One call of `download`: its limits and what it has found so far."""

    def __init__(
        self, folder: Path, network: Network, found: Downloads, on_progress: Callable[[int, int], None], of: int
    ) -> None:
        self.folder, self.network, self.found, self.on_progress, self.of = folder, network, found, on_progress, of
        self.places = asyncio.Semaphore(network.at_once)
        self.hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(network.per_host))
        self.silent: defaultdict[str, int] = defaultdict(int)  # failed connections in a row

    async def all(self, addresses: Sequence[str]) -> None:
        checks = {} if self.network.allow_private else {"resolver": _PublicResolver(), "socket_factory": _public_socket}
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=self.network.per_host, **checks)  # type: ignore[arg-type]
        headers = {"User-Agent": USER_AGENT, "Accept": "image/*, video/*;q=0.9", "Accept-Encoding": "identity"}
        async with aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a compressed body can be a bomb
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        ) as session:
            await asyncio.gather(*(self.one(session, address) for address in addresses))

    async def one(self, session: aiohttp.ClientSession, address: str) -> None:
        try:
            host = _checked(address).host or ""
            async with self.hosts[host]:
                if self.silent[host] >= _SILENT:
                    raise _FailedError(f"{host} did not answer {_SILENT} times; not asked again in this run")
                data = await self.patiently(session, address)
            self.found.files[address] = _kept(self.folder, address, data)
        except _FailedError as error:
            self.found.problems[address] = str(error)
        self.on_progress(len(self.found.files) + len(self.found.problems), self.of)

    async def patiently(self, session: aiohttp.ClientSession, address: str) -> bytes:
        """Tries again, after the wait that the host asks for, while it says that it is busy."""
        for retries in range(self.network.retries, -1, -1):
            try:
                async with self.places:
                    return await self.in_time(session, address)
            except _BusyError as busy:
                if not retries:
                    raise
                await asyncio.sleep(busy.wait)
        raise AssertionError("the last try returns or raises")

    async def in_time(self, session: aiohttp.ClientSession, address: str) -> bytes:
        host = URL(address).host or ""
        try:
            async with asyncio.timeout(self.network.seconds):
                data = await self.follow(session, address)
        except aiohttp.ConnectionTimeoutError:
            self.silent[host] += 1
            raise _FailedError("no connection: timed out") from None
        except TimeoutError:
            raise _FailedError(f"took more than {self.network.seconds:g} s") from None
        except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
            raise _FailedError(f"no safe connection: {' '.join(str(error).split())[:200]}") from None
        except aiohttp.ClientConnectorError as error:
            self.silent[host] += 1
            raise _FailedError(f"no connection: {error.os_error.strerror or error.os_error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _FailedError(f"no answer: {' '.join(str(error).split())[:200] or type(error).__name__}") from None
        self.silent[host] = 0
        return data

    async def follow(self, session: aiohttp.ClientSession, address: str) -> bytes:
        url = _checked(address)
        for _ in range(self.network.redirects + 1):
            async with session.get(url, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await self.body(response, address)
                target = response.headers.get("Location", "")
                url = _checked(target, f"redirects to {target[:200]!r}, which ", url)
        raise _FailedError(f"redirects more than {self.network.redirects} times")

    async def body(self, response: aiohttp.ClientResponse, address: str) -> bytes:
        if response.status in _BUSY:
            raise _BusyError(response.status, min(self.network.longest_wait, _retry_after(response)))
        if response.status != 200:
            raise _FailedError(f"HTTP {response.status}")
        if response.content_type.startswith("text/"):
            raise _FailedError(f"is {response.content_type}, not a photo")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _FailedError("is compressed, though that was not asked for")
        most = self.network.most_clip_bytes if extension(address) in CLIPS else self.network.most_bytes
        data = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            data += chunk
            if len(data) > most:
                raise _FailedError(f"is larger than {most / (1 << 20):g} MiB")
        if not data.startswith(_MAGIC) and data[4:8] != b"ftyp":
            raise _FailedError(f"is no photo: begins with {bytes(data[:16])!r}" if data else "is empty (0 bytes)")
        return bytes(data)


def _checked(address: str, what: str = "", base: URL | None = None) -> URL:
    try:
        url = base.join(URL(address)) if base else URL(address)
    except ValueError:
        raise _FailedError(f"{what}is no valid address") from None
    if url.scheme not in ("http", "https"):
        raise _FailedError(f"{what}is neither http nor https")
    if not url.host:
        raise _FailedError(f"{what}names no host")
    return url


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Seconds, of a number or a date; 1 where there is neither."""
    text = response.headers.get("Retry-After", "")
    with suppress(ValueError, OverflowError):
        return max(0.0, float(int(text)))
    with suppress(ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return 1.0


def _place(folder: Path, address: str) -> Path:
    name = hashlib.sha256(address.encode("utf-8", "replace")).hexdigest()
    return folder / name[:2] / name


def _kept(folder: Path, address: str, data: bytes) -> File:
    place = _place(folder, address)
    temporary = place.with_name(f".{uuid.uuid4().hex}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(place)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); set ENDCAP_CACHE to another place") from None
    return of_path(place, address)
