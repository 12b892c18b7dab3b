"""What nodes, rooms and downloads have in common: a handle, events, one end."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Generic, List, Optional, TypeVar, cast

from . import _library
from ._library import Raw
from ._stream import Stream
from .errors import Error, closed, misuse
from .events import Call, Ended, Event

if TYPE_CHECKING:
    from ._client import Client

E = TypeVar("E", bound=Ended)


class Session(Generic[E]):
    """Something with events and an end. Iterating over it yields its events, the last one included; then it ends, or raises if
    the session ended badly.

    Thrown away, it ends as if it had been left, stopped or cancelled. So keep it for as long as it is to go on.
    """

    _what = "session"

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._handle = 0
        self._ended: Optional[E] = None
        self._broken: Optional[Error] = None
        self._called_off = False
        self._waiters: List["asyncio.Future[None]"] = []
        self._stream = Stream(client._check, client._queue)
        self._others: "weakref.WeakSet[Stream]" = weakref.WeakSet()
        self._finalizer: Any = None

    def events(self, capacity: int = 0) -> Stream:
        """One more consumer, with a queue of its own, of the events from now on. Calls go to the first consumer only: iterate over
        the session itself for those."""
        stream = Stream(self._client._check, capacity or self._client._queue, self)
        if self._over:
            stream._end(self._failure())
        self._others.add(stream)
        return stream

    def __aiter__(self) -> "Session[E]":
        return self

    async def __anext__(self) -> Event:
        # Not the stream's own iterator: this way the session lives for as long as somebody iterates over it.
        return await self._stream.__anext__()

    async def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None after the last. TimeoutError if none comes within `timeout` seconds: no event is lost by that."""
        return await self._stream.next(timeout)

    async def ended(self) -> E:
        """Waits for the last event. Raises if the session ended badly."""
        self._client._check()
        await self._until(lambda: self._over)
        error = self._failure()
        if error is not None:
            raise error
        return cast(E, self._ended)

    @property
    def _over(self) -> bool:
        return self._ended is not None or self._broken is not None

    def _failure(self) -> Optional[Error]:
        if self._ended is None:
            return self._broken
        return None if self._called_off and self._ended.status == "cancelled" else self._ended.error()

    def _adopt(self, handle: int) -> None:
        """The session exists. Events are dispatched by this thread's loop, so that none can have been missed."""
        self._handle = handle
        self._client._sessions[handle] = self
        # At exit the client is disposed of, and all of it with it.
        self._finalizer = weakref.finalize(self, _library.quiet, "moorline_drop", self._client._handle, handle)
        self._finalizer.atexit = False

    def _require(self) -> int:
        self._client._enter()
        if not self._handle:
            raise misuse(f"the {self._what} has not begun: use `async with`")
        return self._handle

    def _drop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()

    def _begin_once(self) -> None:
        self._client._enter()
        if self._handle or self._over:
            raise misuse(f"a {self._what} begins once: make another one")

    def _deliver(self, event: Event) -> None:
        self._seen(event)
        given_up = self._stream._push(event)
        if given_up is not None:
            self._given_up(given_up)
        if not isinstance(event, Call):  # Who is to answer it? Whoever iterates over the session.
            for other in list(self._others):
                other._push(event)
        if isinstance(event, Ended):
            self._ended = cast(E, event)
            self._close_streams()
        self._wake()

    def _seen(self, event: Event) -> None:
        """What a kind of session takes from its events."""

    def _given_up(self, event: Event) -> None:
        """An event was dropped, since nobody read it."""

    def _cut(self, error: Error) -> None:
        """The client is gone, and no last event will come."""
        if not self._over:
            self._broken = error
            self._close_streams()
            self._wake()

    def _close_streams(self) -> None:
        for stream in [self._stream, *self._others]:
            stream._end(self._failure())

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)

    async def _until(self, condition: Any) -> None:
        """Waits for something that an event brings."""
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    async def _begun(self, condition: Any) -> None:
        """Waits until it has begun. Given up meanwhile, it ends."""
        try:
            await self._until(lambda: condition() or self._over)
            error = self._failure()
            if error is not None:
                raise error
            if self._over and not condition():
                raise closed(f"the {self._what} ended before it had begun")
        except BaseException:
            self._drop()
            raise

    async def _finish(self, function: str) -> None:
        """Ends it, waits for the last event, and lets go of the handle."""
        self._client._check()
        if not self._handle or self._client._state == "closed":
            return
        try:
            if not self._over:
                self._called_off = True
                # A client that is closing, or a handle that was let go of, ends it anyway.
                if self._client._state == "open" and self._finalizer.alive:
                    self._client._call(function, self._handle)
                await self._until(lambda: self._over)
        finally:
            self._drop()

    def _snapshot(self, function: str) -> List[Raw]:
        return self._client._snapshot(function, self._require())


