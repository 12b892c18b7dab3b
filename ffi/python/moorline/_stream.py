"""A bounded queue of events for one consumer."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Callable, Deque, List, Optional

from . import _abi
from .errors import failure
from .events import DownloadProgress, Event, Lagged, LibraryChanged, OffersChanged

# Only the newest of these matters: it takes the place of one that waits directly before it.
_STATES = (DownloadProgress, OffersChanged, LibraryChanged)


class Stream:
    """Events for one consumer, in order: `async for event in stream`.

    Of a consumer that does not read, the oldest events are dropped; the next thing that it reads is `Lagged`, with their count.
    The last event of a session is never dropped. After it the iteration ends, or raises if the session ended badly.
    """

    def __init__(self, check: Callable[[], None], capacity: int, owner: Any = None) -> None:
        self._check = check
        self._capacity = capacity
        self._owner = owner  # Kept alive for as long as somebody listens.
        self._events: Deque[Event] = deque()
        self._waiters: List["asyncio.Future[None]"] = []
        self._missed = 0
        self._ended = False
        self._error: Optional[BaseException] = None

    def _push(self, event: Event) -> Optional[Event]:
        """Adds an event. Answers with the one that had to give way, if any."""
        if self._ended:
            return None
        given_up = None
        if isinstance(event, _STATES) and self._events and type(self._events[-1]) is type(event):
            self._events[-1] = event
        else:
            if len(self._events) >= self._capacity:
                given_up = self._events.popleft()
                self._missed += given_up.count if isinstance(given_up, Lagged) else 1
            self._events.append(event)
        self._wake()
        return given_up

    def _end(self, error: Optional[BaseException] = None) -> None:
        """Says that nothing follows, and why."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Event:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None after the last. TimeoutError if none comes within `timeout` seconds: no event is lost by that."""
        self._check()
        loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        while True:
            event = self.now()
            if event is not None or self._ended:
                return event
            left = None if until is None else until - loop.time()
            if left is not None and left <= 0:
                raise failure(_abi.E_TIMEOUT, f"no event within {timeout} s")
            waiter = loop.create_future()
            self._waiters.append(waiter)
            try:
                # Does not cancel what it waits for, so that an event and a time-out in one moment are both told.
                await asyncio.wait([waiter], timeout=left)
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def now(self) -> Optional[Event]:
        """The next event, if one is there. Raises after the last one of a session that ended badly."""
        if self._missed:
            missed, self._missed = self._missed, 0
            return Lagged(0, missed)
        if self._events:
            return self._events.popleft()
        if self._ended and self._error is not None:
            raise self._error.with_traceback(None)
        return None
