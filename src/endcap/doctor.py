"""What this installation and this machine can do, what is missing for what, and whether a server is well."""

import json
import os
import platform
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
import torch
from packaging.requirements import Requirement

from endcap.data.errors import InputError
from endcap.data.photos.cache import cache_folder

PURPOSES: Mapping[str, str] = {
    "demo": "the data of `endcap demo`",
    "spark": "tables on a Spark cluster",
    "video": "photos out of videos",
    "postgres": "a server on PostgreSQL",
    "encoders": "photos and sentences by networks that others trained",
    "dev": "tests and checks",
}
"""Extra -> what it is for."""
LEAST_MEMORY = 3 * 2**30
"""Bytes that the demo takes at its peak, or a network on a log of a million events."""
LEAST_DISK = 2 * 2**30
"""Bytes that the models of a comparison, their runs and a database may take."""
FEATURES = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")
"""What makes PyTorch faster, as it calls it."""
WAIT = 5.0
"""Seconds for an answer of a server."""

State = Literal["well", "absent", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State  # absent: something optional that is not there
    text: str  # what was found, and what to do about it


def findings(server: str | None = None) -> list[Finding]:
    """Installation, extras, processor, memory, disk; with an address, also the server there.

    Raises InputError where the address is none.
    """
    if server is not None:
        server = _address(server)
    return [
        _installed(),
        *_extras(),
        _java(),
        _processor(),
        _memory(),
        _disk("disk here", Path()),
        _disk("disk for descriptions that are kept", cache_folder()),
        *([] if server is None else _server(server)),
    ]


def _installed() -> Finding:
    versions = f"endcap {metadata.version('endcap')}, Python {platform.python_version()}, PyTorch {torch.__version__}"
    missing = _missing(None)
    if missing:
        return Finding("endcap", "wrong", f"{versions}; not as asked for: {', '.join(missing)}; install endcap again")
    return Finding("endcap", "well", versions)


def _extras() -> list[Finding]:
    known = [name for name in PURPOSES if name in (metadata.metadata("endcap").get_all("Provides-Extra") or [])]
    found = []
    for extra in known:
        missing = _missing(extra)
        name = f"extra {extra}"
        if missing:
            what = f"missing for {PURPOSES[extra]}: {', '.join(missing)}; pip install 'endcap[{extra}]'"
            found.append(Finding(name, "absent", what))
        else:
            found.append(Finding(name, "well", PURPOSES[extra]))
    return found


def _missing(extra: str | None) -> list[str]:
    """Packages of an extra (None: of endcap itself) that are not installed, or in another version."""
    missing = []
    for text in metadata.requires("endcap") or []:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra or ""}):
            continue
        if (extra is not None) != (wanted.marker is not None and "extra" in str(wanted.marker)):
            continue
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            missing.append(wanted.name)
            continue
        if not wanted.specifier.contains(version, prereleases=True):
            missing.append(f"{wanted.name} {version} (expected {wanted.specifier})")
    return missing


def _java() -> Finding:
    if (path := shutil.which("java")) is None:
        return Finding("java", "absent", "none, which Spark needs: install Java 17")
    return Finding("java", "well", path)


def _processor() -> Finding:
    able = torch.cpu.get_capabilities()
    has = [name for name in FEATURES if able.get(name)]
    fast = "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "single precision"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    text = f"{cores} cores, {', '.join(has) or 'no vector extensions'}: networks train in {fast}"
    if torch.cuda.is_available():
        text += f"; there is a GPU, {torch.cuda.get_device_name()}, which endcap does not use yet"
    return Finding("processor", "well", text)


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    text = f"{_size(memory.available)} free of {_size(memory.total)}"
    if memory.available < LEAST_MEMORY:
        return Finding("memory", "wrong", f"{text}; the demo takes up to {_size(LEAST_MEMORY)}: end other programs")
    return Finding("memory", "well", text)


def _disk(name: str, folder: Path) -> Finding:
    """Of the folder, or of that which it would lie in."""
    folder = folder.absolute()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free
    text = f"{_size(free)} free in {folder}"
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return Finding(name, "wrong", f"{text}; nothing can be written there: {error.strerror}")
    if free < LEAST_DISK:
        return Finding(name, "wrong", f"{text}; a comparison takes up to {_size(LEAST_DISK)}")
    return Finding(name, "well", text)


def _size(number: float) -> str:
    return f"{number / 2**30:.1f} GiB"


def _address(server: str) -> str:
    parts = urllib.parse.urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"found server {server!r}; expected an address such as http://127.0.0.1:8000")
    return server.rstrip("/")


def _server(address: str) -> list[Finding]:
    """Whether the process answers, and whether requests should go there."""
    found = []
    for name, path in (("server answers", "/v1/health/live"), ("server is ready", "/v1/health/ready")):
        began = time.perf_counter()
        try:
            with urllib.request.urlopen(address + path, timeout=WAIT) as answer:
                status = json.load(answer)["status"]
            text = f"{status} after {1_000 * (time.perf_counter() - began):.0f} ms, {address}{path}"
            found.append(Finding(name, "well", text))
        except urllib.error.HTTPError as error:
            with error:
                text = f"{address}{path} answers {error.code}: {_message(error)}"
            found.append(Finding(name, "wrong", text))
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "reason", None) or error
            found.append(Finding(name, "wrong", f"{address}{path}: {reason}; is it running, and an endcap?"))
    return found


def _message(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return str(error.reason)
