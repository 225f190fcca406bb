"""What is acknowledged stays, whatever happens to the server or to the database."""

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from endcap.store.errors import Unavailable
from endcap.store.records import Event, Visitor
from endcap.store.store import Store
from tests.postgres import Postgres

BATCH = 10


def batch(name: str) -> list[Event]:
    return [Event(Visitor("ann"), name, "view", float(n), f"{name} {n}") for n in range(BATCH)]


def stream(url: str, run: int, acknowledged: Connection) -> None:
    store = Store.open(url)
    for n in range(1_000_000):
        store.record(batch(f"{run} {n}"), now=0.0)
        acknowledged.send_bytes(f"{run} {n}".encode())


def received(acknowledged: Connection) -> list[str]:
    names = []
    try:
        while True:
            names.append(acknowledged.recv_bytes().decode())
    except (EOFError, OSError):  # the last message may be cut off
        return names


def test_every_acknowledged_event_survives_twenty_kills(tmp_path: Path) -> None:
    url = str(tmp_path / "shop.db")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.test_open"])
    moments = random.Random(0)
    names: list[str] = []
    for run in range(20):
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=stream, args=(url, run, there))
        process.start()
        there.close()
        if run % 4:  # otherwise it may still be opening, or making the tables
            here.poll(20)
        time.sleep(moments.uniform(0.0, 0.1))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        names += received(here)
        here.close()
    store = Store.open(url)
    kept = Counter(store.events_table()["item_id"].to_pylist())
    store.close()
    assert len(names) > 30
    assert set(names) <= set(kept)
    assert set(kept.values()) == {BATCH}  # no batch in part


def test_postgresql_that_goes_away_under_load_and_comes_back(postgres: Postgres) -> None:
    store = Store.open(postgres.database())
    acknowledged: list[str] = []
    failures: list[str] = []
    ended = threading.Event()

    def work(thread: int) -> None:
        n = 0
        while not ended.is_set():
            try:
                store.record(batch(f"{thread} {n}"), now=0.0)
            except Unavailable as error:  # the same again, until it is told that it is done
                failures.append(str(error))
                time.sleep(0.05)
            else:
                acknowledged.append(f"{thread} {n}")
                n += 1

    def grows(things: list[str]) -> None:
        before, deadline = len(things), time.monotonic() + 30
        while len(things) < before + 8:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    try:
        grows(acknowledged)
        postgres.crash()
        grows(failures)
        postgres.start()
        grows(acknowledged)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    kept = Counter(store.events_table()["item_id"].to_pylist())
    store.close()
    assert set(acknowledged) <= set(kept)
    assert set(kept.values()) == {BATCH}  # what was sent twice counts once


def test_a_connection_that_broke_while_nobody_used_it_costs_no_answer(postgres: Postgres) -> None:
    store = Store.open(postgres.database())
    store.record(batch("a"), now=0.0)
    postgres.crash()
    postgres.start()
    assert store.record(batch("b"), now=0.0) == [True] * BATCH
    assert len(store.histories([Visitor("ann")])[0]) == 2 * BATCH
    store.close()
