"""Requests come together, and none spoils it for another."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from endcap.serve.gather import Gather, Overloaded
from endcap.store.errors import Unavailable


class Doubling:
    """Waits to be let go, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        assert self.go.wait(5)
        if 13 in numbers:
            raise RuntimeError("13 breaks the whole batch")
        if 7 in numbers:
            raise Unavailable("away")
        return [ValueError(f"{number} is negative") if number < 0 else 2 * number for number in numbers]


def test_what_arrives_during_a_batch_goes_together() -> None:
    doubling = Doubling()

    async def run() -> list[int]:
        gather = Gather(doubling, most=3, waiting=100)
        doubling.go.clear()
        first = asyncio.create_task(gather(1))
        while not doubling.batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(gather(number)) for number in (2, 3, 4, 5)]
        await asyncio.sleep(0)
        doubling.go.set()
        result = [await each for each in (first, *others)]
        gather.close()
        return result

    assert asyncio.run(run()) == [2, 4, 6, 8, 10]
    assert doubling.batches == [[1], [2, 3, 4], [5]]


def test_requests_of_one_moment_are_one_batch() -> None:
    doubling = Doubling()

    async def run() -> list[int]:
        gather = Gather(doubling, most=100, waiting=100)
        return await asyncio.gather(*[gather(number) for number in range(5)])

    assert asyncio.run(run()) == [0, 2, 4, 6, 8]
    assert doubling.batches == [[0, 1, 2, 3, 4]]


def test_each_has_its_own_exception() -> None:
    async def run() -> list[int | BaseException]:
        gather = Gather(Doubling(), most=100, waiting=100)
        return await asyncio.gather(*[gather(number) for number in (1, -2, 3)], return_exceptions=True)

    one, negative, three = asyncio.run(run())
    assert (one, three) == (2, 6)
    assert isinstance(negative, ValueError)


def test_one_that_breaks_the_batch_breaks_alone() -> None:
    async def run() -> list[int | BaseException]:
        gather = Gather(Doubling(), most=100, waiting=100)
        return await asyncio.gather(*[gather(number) for number in (1, 13, 3)], return_exceptions=True)

    one, broken, three = asyncio.run(run())
    assert (one, three) == (2, 6)
    assert isinstance(broken, RuntimeError)


def test_a_database_that_is_away_is_not_asked_for_each() -> None:
    doubling = Doubling()

    async def run() -> list[int | BaseException]:
        gather = Gather(doubling, most=100, waiting=100)
        return await asyncio.gather(*[gather(number) for number in (7, 8, 9)], return_exceptions=True)

    assert all(isinstance(each, Unavailable) for each in asyncio.run(run()))
    assert len(doubling.batches) == 1


def test_those_who_leave_do_not_break_a_batch() -> None:
    doubling = Doubling()

    async def run() -> list[int | BaseException]:
        gather = Gather(doubling, most=100, waiting=100)
        doubling.go.clear()
        running = [asyncio.create_task(gather(number)) for number in (1, 2)]
        while not doubling.batches:
            await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(gather(number)) for number in (3, 4)]
        await asyncio.sleep(0)
        running[0].cancel()
        waiting[0].cancel()
        await asyncio.sleep(0)
        doubling.go.set()
        return await asyncio.gather(*running, *waiting, return_exceptions=True)

    gone, two, left, four = asyncio.run(run())
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(left, asyncio.CancelledError)
    assert (two, four) == (4, 8)
    assert doubling.batches == [[1, 2], [4]]


def test_a_full_queue_refuses() -> None:
    doubling = Doubling()

    async def run() -> list[int]:
        gather = Gather(doubling, most=1, waiting=2)
        doubling.go.clear()
        first = asyncio.create_task(gather(1))
        while not doubling.batches:
            await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(gather(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await gather(4)
        doubling.go.set()
        return [await each for each in (first, *waiting)]

    assert asyncio.run(run()) == [2, 4, 6]


def test_heavy_ones_go_in_fewer_at_a_time() -> None:
    batches: list[list[str]] = []

    def record(words: Sequence[str]) -> list[int]:
        batches.append(list(words))
        return [len(word) for word in words]

    async def run() -> list[int]:
        gather = Gather(record, most=5, waiting=100, weigh=len)
        return await asyncio.gather(*[gather(word) for word in ("aaa", "bb", "c", "dddddddd", "e")])

    assert asyncio.run(run()) == [3, 2, 1, 8, 1]
    assert batches == [["aaa", "bb"], ["c"], ["dddddddd"], ["e"]]
