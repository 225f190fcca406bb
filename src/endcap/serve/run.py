"""Starting the server: what must be right before, the port, the workers."""

import errno
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import torch
import uvicorn
import uvicorn._subprocess
from fastapi import FastAPI
from pydantic import TypeAdapter
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from endcap.data.errors import InputError
from endcap.engine.answering import Exploring
from endcap.engine.engine import Engine, EngineConfig
from endcap.serve.access import is_loopback
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.keys import load_keys, rate_of
from endcap.serve.memory import give_back
from endcap.serve.metrics import FOLDER
from endcap.store.errors import Unavailable
from endcap.store.store import Store

log = logging.getLogger(__name__)

SETTINGS = "ENDCAP_SERVE"
"""The variable that tells a worker what it is to serve."""
_CONFIG = TypeAdapter(ServeConfig)
FORKS = sys.platform == "linux"
_HEALTHCHECK = 10 if FORKS else 60
"""Seconds in which a worker must give a sign of life; one that does not fork has to import PyTorch first."""


def serve(config: ServeConfig, *, on_open: Callable[[str], None] = lambda address: None) -> None:
    """Serves until it is told to stop; raises InputError where something is not as it must be.

    `on_open` hears the address once one process is ready to answer there; with several, they may still be starting.
    """
    _check(config)
    with _listen(config.host, config.port) as listening:
        host, port = listening.getsockname()[:2]
        where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if config.workers == 1:
            app = create_app(_engine(config), config)
            settings = _uvicorn(app, config)
            log.info("%s serves %s; see %s/docs", config.out, where, where)
            on_open(where)
            with suppress(KeyboardInterrupt):  # Ctrl-C, which uvicorn hands on once it has ended
                uvicorn.Server(settings).run([listening])
        else:
            settings = _uvicorn("endcap.serve.run:worker", config)
            log.info("%s serves %s with %d workers; see %s/docs", config.out, where, config.workers, where)
            on_open(where)
            _supervise(settings, config, listening)


def free_port(host: str, port: int) -> int:
    """The port, or 0 (any that is free) where somebody listens there already."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return 0 if error.errno == errno.EADDRINUSE else port  # of all else `serve` says what is wrong
    return port


def worker() -> FastAPI:
    """The application of one of several workers, which know their settings by their environment."""
    config = _CONFIG.validate_json(os.environ[SETTINGS])
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    torch.set_num_threads(max(1, torch.get_num_threads() // config.workers))  # else they stand in each other's way
    try:
        return create_app(_engine(config), config)
    except InputError as error:
        log.error("%s", error)
        sys.exit(STARTUP_FAILURE)  # the supervisor ends: the next worker would fare no better
    except Unavailable as error:
        log.error("the database is away: %s", error)
        time.sleep(1)
        sys.exit(1)  # the supervisor starts another


def _engine(config: ServeConfig) -> Engine:
    return Engine.open(config.out, config.db, config=EngineConfig(exploring=Exploring(places=config.explore)))


def _end_with_parent(parent: int) -> None:
    """A worker whose supervisor was killed would keep the port."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _check(config: ServeConfig) -> None:
    """What would fail in every worker fails here, once."""
    if config.keys is not None:
        load_keys(config.keys)
    elif not is_loopback(config.host):
        raise InputError(
            f"found host {config.host} without keys: everybody there could do everything;"
            " expected --api-key-file FILE, or --host 127.0.0.1"
        )
    for rate in (config.rate, config.address_rate):
        rate_of(rate)
    if not (config.out / "artifact.json").is_file():
        raise InputError(f"{config.out} is no artifact; make one with `endcap train`")
    if config.db is not None:
        try:
            Store.open(config.db).close()  # brought up to date by one process, not by all workers at once
        except Unavailable as error:
            raise InputError(f"the database cannot be reached: {error}; is it running?") from error


def _listen(host: str, port: int) -> socket.socket:
    """Bound before anything is loaded, so that a port that is taken costs no time."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"found port {port} of {host} taken; choose another one with --port") from error
        raise InputError(f"cannot listen at {host}, port {port}: {error.strerror or error}") from error


def _uvicorn(app: FastAPI | str, config: ServeConfig) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=config.workers,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=config.grace,
        timeout_worker_healthcheck=_HEALTHCHECK,
        log_config=_logging(),
    )


def _supervise(settings: uvicorn.Config, config: ServeConfig, listening: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix="endcap-metrics-") as folder:
        os.environ |= {SETTINGS: _CONFIG.dump_json(config).decode(), FOLDER: folder}
        if FORKS:
            # Forked workers share the memory of what was imported, and none waits seconds for PyTorch. The supervisor
            # has no thread and no connection to lose. uvicorn has no setting for it; without this line it spawns.
            uvicorn._subprocess.spawn = multiprocessing.get_context("fork")  # type: ignore[assignment]  # noqa: SLF001
        give_back()
        supervisor = Multiprocess(settings, [listening])
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise InputError("a worker could not start; what it said stands above")


def _logging() -> dict[str, Any]:
    """uvicorn's, for our own words too."""
    settings = deepcopy(LOGGING_CONFIG)
    settings["loggers"]["endcap"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return settings
