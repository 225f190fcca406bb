"""Concurrent requests in one call: while one batch runs in the thread, the next requests come together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from endcap.store.errors import Unavailable

One = TypeVar("One")
Result = TypeVar("Result")


class Overloaded(Exception):  # noqa: N818  a state, not a mistake
    """More requests wait than can be answered soon."""


class Gather(Generic[One, Result]):
    """`await gather(one)` is its result out of `function([one, …])`; when idle it starts at once, without waiting.

    function: runs in one thread, and gives for each its result or the exception that is its answer.
    weigh: what one of them counts; a batch has at most `most`, or is a single one that is heavier.
    """

    def __init__(
        self,
        function: Callable[[Sequence[One]], Sequence[Result | Exception]],
        *,
        most: int,
        waiting: int,
        weigh: Callable[[One], int] = lambda one: 1,
        on_batch: Callable[[int], None] = lambda size: None,
    ) -> None:
        self._function, self._weigh, self._on_batch = function, weigh, on_batch
        self._most, self._room = most, waiting
        self._queue: deque[tuple[One, asyncio.Future[Result]]] = deque()
        self._busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="endcap-gather")

    async def __call__(self, one: One) -> Result:
        """Raises Overloaded where too many wait, and what the function gave or raised for this one."""
        if len(self._queue) >= self._room:
            raise Overloaded(f"{self._room:,} requests wait")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((one, future))
        if not self._busy:
            self._busy = True
            # After what is ready in this turn of the loop: requests that came together go together.
            asyncio.get_running_loop().call_soon(self._start)
        return await future

    def close(self) -> None:
        """Ends the thread once its batch is done."""
        self._thread.shutdown()

    def _start(self) -> None:
        batch = self._take()
        if not batch:
            self._busy = False
            return
        self._on_batch(len(batch))
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._run, [one for one, _ in batch])
        running.add_done_callback(lambda done: self._finish([future for _, future in batch], done.result()))

    def _take(self) -> list[tuple[One, asyncio.Future[Result]]]:
        batch: list[tuple[One, asyncio.Future[Result]]] = []
        weight = 0
        while self._queue:
            one, future = self._queue[0]
            if not future.done():  # done: whoever asked has gone
                weight += self._weigh(one)
                if batch and weight > self._most:
                    break
                batch.append((one, future))
            self._queue.popleft()
        return batch

    def _run(self, batch: Sequence[One]) -> Sequence[Result | Exception]:
        """Never raises: where the batch fails, each is tried alone, so that one's fault is not the others'."""
        try:
            return self._function(batch)
        except Exception as error:
            if len(batch) == 1 or isinstance(error, Unavailable):
                return [error] * len(batch)
            return [self._run([one])[0] for one in batch]

    def _finish(self, futures: Sequence[asyncio.Future[Result]], results: Sequence[Result | Exception]) -> None:
        for future, result in zip(futures, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
        self._start()
