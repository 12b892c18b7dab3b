"""A client: where events come from, and what nodes, rooms and downloads hang off."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import weakref
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Optional, Sequence, Type

from . import _abi, _exit, _library, events
from ._library import Raw, milliseconds, options
from ._node import Node
from ._pump import Pump
from ._room import Room
from ._stream import Stream
from ._tasks import in_thread, leaving
from .errors import closed, failure, misuse

if TYPE_CHECKING:
    from types import TracebackType

    from ._node import Path
    from ._session import Session

LOG = logging.getLogger("moorline")
_LOG_LEVELS = {"off": 0, "error": 1, "warn": 2, "info": 3, "debug": 4, "trace": 5}
# Turns of the loop after which a task is woken that waits for one that waits for a request.
_TURNS = 4
_PYTHON_LEVELS = (0, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, 5)


class Client:
    """Threads for the network, a queue of events, and a place for nodes and rooms. `async with` opens and closes it.

    It belongs to the event loop that it was opened in; `moorline.sync` is for threads. `queue`: how many events may wait for each
    consumer here. `log_level`: what the library says to the logger "moorline". What is 0 has the library's default.

    Iterating over it yields what concerns all of it: `Panic`, `Lagged` and `ClientClosed`.
    """

    def __init__(
        self,
        *,
        threads: int = 0,
        event_capacity: int = 0,
        request_capacity: int = 0,
        log_level: str = "off",
        queue: int = 1024,
    ) -> None:
        if log_level not in _LOG_LEVELS:
            raise misuse(f"{log_level!r} is no log level: use one of {', '.join(_LOG_LEVELS)}")
        if queue < 1:
            raise misuse("queue is less than 1: no event would fit")
        self._options = dict(
            abi_version=_abi.ABI_VERSION,
            threads=threads,
            event_capacity=event_capacity,
            request_capacity=request_capacity,
            log_level=_LOG_LEVELS[log_level],
        )
        self._queue = queue
        self._handle = 0
        self._state = "new"  # Then "open", "closing", "closed".
        self._closing: Optional["asyncio.Task[None]"] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._pump: Optional[Pump] = None
        self._pending: Dict[int, "asyncio.Future[Raw]"] = {}
        self._sessions: "weakref.WeakValueDictionary[int, Session[Any]]" = weakref.WeakValueDictionary()
        self._stream = Stream(self._check, queue)
        self._backlog: Deque[Raw] = deque()
        self._resting = False

    async def open(self) -> "Client":
        """Begins. Part of `async with`."""
        if self._state != "new":
            raise misuse("a client is opened once: make another one")
        loop = asyncio.get_running_loop()
        if _exit.has_orphans():
            await in_thread(_exit.reap)
        handle = ctypes.c_uint64()
        made = options(_abi.InitOptions, **self._options)
        _library.invoke("moorline_init", ctypes.byref(made), ctypes.byref(handle))
        self._handle, self._loop, self._state = handle.value, loop, "open"
        _exit.opened(self, self._handle)
        try:
            self._pump = Pump(self._handle, loop, self._dispatch)
        except BaseException:  # The loop refuses to watch one more descriptor.
            self.dispose()
            raise
        return self

    async def close(self, deadline: float = 5.0) -> None:
        """Ends all that is open in it and waits for that; TimeoutError if something had to be cut off. Again changes nothing."""
        self._check()
        if self._state == "open":
            self._enter()
            self._state = "closing"
            self._closing = asyncio.ensure_future(self._close(deadline))
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _close(self, deadline: float) -> None:
        self._stop_pump()
        rest, error = await in_thread(_library.dispose, self._handle, max(1, milliseconds(deadline)))
        self._finish(rest)
        if error is not None:
            raise error

    def dispose(self, deadline: float = 5.0) -> None:
        """As `close`, but blocks, and needs no event loop: for when that has ended already."""
        self._check()
        if self._state != "open":
            return
        self._state = "closing"
        if self._loop is not None and not self._loop.is_running():
            self._stop_pump()
        rest, error = _library.dispose(self._handle, max(1, milliseconds(deadline)))
        if self._loop is None or self._loop.is_closed():
            self._state = "closed"
            _exit.closed(self._handle)
        else:
            self._loop.call_soon_threadsafe(self._finish, rest)
        if error is not None:
            raise error

    def _stop_pump(self) -> None:
        if self._pump is not None:
            self._pump.stop()

    def _finish(self, rest: Sequence[Raw]) -> None:
        self._state = "closed"
        _exit.closed(self._handle)
        self._stop_pump()
        self._resting = False
        self._backlog.extend(rest)
        self._deliver_backlog(rested=True)
        for future in self._pending.values():
            if not future.done():
                future.set_exception(closed("the client is closed"))
        self._pending.clear()
        for session in list(self._sessions.values()):
            session._cut(closed("the client is closed"))
        self._stream._end()

    async def __aenter__(self) -> "Client":
        return await self.open()

    async def __aexit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: "Optional[TracebackType]"
    ) -> None:
        with leaving():
            await self.close()

    def __aiter__(self) -> Stream:
        return self._stream

    def node(
        self,
        *,
        share: "Sequence[Path]" = (),
        children: bool = False,
        listen: str = "",
        name: str = "",
        identity: "Path" = "",
        cache: "Path" = "",
        passphrase: str = "",
        allow: Sequence[str] = (),
        peers: Sequence[str] = (),
        multicast: bool = True,
        library: bool = False,
        shutdown_deadline: float = 0,
    ) -> Node:
        """A node, which `async with` starts and stops.

        `share`: files and folders; with `children`, every child of those folders is an item. `listen`: "ip:port". `identity`: file
        with the peer's key, made if missing; else it has a key for this run only. `allow`: ids of the only peers that get in.
        `peers`: addresses to connect to. `multicast=False`: neither looks for peers on the network nor announces itself there.
        `library`: has one although nothing is shared yet. `shutdown_deadline`: seconds for goodbyes. What is left out has the
        library's default.
        """
        flags = _abi.FLAG_READY
        flags |= _abi.FLAG_CHILDREN if children else 0
        flags |= 0 if multicast else _abi.FLAG_NO_MULTICAST
        flags |= _abi.FLAG_LIBRARY if library else 0
        settings = dict(
            flags=flags,
            listen=listen,
            name=name,
            identity=os.fspath(identity),
            cache=os.fspath(cache),
            passphrase=passphrase,
            share=[os.fspath(path) for path in share],
            allow=list(allow),
            peers=list(peers),
            share_count=len(share),
            allow_count=len(allow),
            peer_count=len(peers),
            shutdown_deadline_ms=milliseconds(shutdown_deadline),
        )
        return Node(self, settings)

    def room(
        self,
        url: str,
        room: str,
        *,
        node: Optional[Node] = None,
        name: str = "",
        token: str = "",
        identity: str = "",
        metadata: str = "",
        deadline: Optional[float] = 30.0,
        meeting: bool = True,
    ) -> Room:
        """A room, which `async with` joins and leaves.

        `url`: "ws://host:port", several separated by spaces. `node`: who meets the nodes in the room; None: nobody. `name`: what
        others see. `identity`: who this is, where no token says so. `deadline`: seconds from a loss, or from the start, to giving
        up; None: never. `meeting=False`: the node's addresses are not told, and it connects to nobody.
        """
        settings = dict(
            flags=_abi.FLAG_READY | (0 if meeting else _abi.FLAG_NO_MEETING),
            url=url,
            room=room,
            token=token,
            name=name,
            identity=identity,
            metadata=metadata,
            deadline_ms=max(1, milliseconds(deadline)),
        )
        return Room(self, node, settings)

    # What sessions use.

    def _check(self) -> None:
        """ForkedError in a forked child. The library says so, and takes no lock for it."""
        if self._state not in ("open", "closing"):
            return
        descriptor = ctypes.c_int32()
        status = _library.library().moorline_events_fd(self._handle, ctypes.byref(descriptor))
        # Once there is another client in the child, the handles of the parent are not forked but unknown.
        unknown = status in (_abi.E_BAD_HANDLE, _abi.E_WRONG_KIND, _abi.E_WRONG_CLIENT)
        if status == _abi.E_FORKED or (unknown and self._state == "open"):
            raise failure(
                _abi.E_FORKED, "this client belongs to the process that this one was forked from: open another one here"
            )

    def _enter(self) -> None:
        """What every function asks for first: that this is the right process, state and event loop."""
        self._check()
        if self._state == "new":
            raise misuse("the client is not open: use `async with Client() as client`")
        if self._state != "open":
            raise closed("the client is closed")
        try:
            here: Optional[asyncio.AbstractEventLoop] = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is not self._loop:
            raise misuse("the client belongs to another event loop: open one in each, or use moorline.sync")

    def _invoke(self, name: str, *args: Any) -> None:
        self._enter()
        _library.invoke(name, self._handle, *args)

    def _call(self, name: str, *args: Any) -> None:
        self._enter()
        _library.call(name, self._handle, *args)

    def _snapshot(self, name: str, *args: Any) -> List[Raw]:
        self._enter()
        return _library.snapshot(name, self._handle, *args)

    async def _request(self, name: str, *args: Any) -> bytes:
        """Calls a function that makes a request, and waits until that is done. Cancelled here, it is cancelled there."""
        self._enter()
        handle = ctypes.c_uint64()
        _library.invoke(name, self._handle, *args, ctypes.byref(handle))
        # Events are dispatched by this loop alone: nothing can have come between the call and this line, which does not wait.
        return await self._done(handle.value, self._expect(handle.value))

    def _expect(self, request: int) -> "asyncio.Future[Raw]":
        future = self._pending[request] = asyncio.get_running_loop().create_future()
        return future

    async def _done(self, request: int, future: "asyncio.Future[Raw]") -> bytes:
        try:
            raw: Raw = await future
        except BaseException:
            if future.cancelled() or not future.done():
                _library.quiet("moorline_cancel", self._handle, request)
            raise
        if raw.status:
            raise failure(raw.status, _library.text(raw.spans[0]))
        return raw.spans[0]

    # Events, on the loop's thread.

    def _dispatch(self, raws: Sequence[Raw]) -> None:
        self._backlog.extend(raws)
        if not self._resting:
            self._deliver_backlog()

    def _deliver_backlog(self, rested: bool = False) -> None:
        while self._backlog:
            if self._backlog[0].kind == _abi.EVENT_PANIC and not rested and self._loop is not None:
                # Whoever waits for what was cancelled with it hears of that first: their tasks are woken by then.
                self._resting = True
                self._loop.call_soon(self._rest, _TURNS)
                return
            raw = self._backlog.popleft()
            rested = rested and self._state == "closed"
            try:
                self._deliver(raw)
            except Exception as error:  # A defect here must not cost the events that follow.
                LOG.exception("event %s of kind %s was lost: %s", raw.sequence, raw.kind, error)

    def _rest(self, turns: int) -> None:
        if turns and self._loop is not None:
            self._loop.call_soon(self._rest, turns - 1)
        elif self._resting:
            self._resting = False
            self._deliver_backlog(rested=True)

    def _deliver(self, raw: Raw) -> None:
        if raw.kind == _abi.EVENT_REQUEST_DONE:
            future = self._pending.pop(raw.request, None)
            if future is not None and not future.done():
                future.set_result(raw)
            return
        if raw.kind == _abi.EVENT_LOG:
            level = raw.numbers[0] if raw.numbers[0] < len(_PYTHON_LEVELS) else 5
            LOG.log(_PYTHON_LEVELS[level], "%s: %s", _library.text(raw.spans[0]), _library.text(raw.spans[1]))
            return
        event = events.of(raw)
        if isinstance(event, events.Panic):
            LOG.error("contained a panic in %s: %s", event.task, event.message)
        own = raw.handle in (0, self._handle)
        if own or isinstance(event, events.Panic):
            self._stream._push(event)
        if own and isinstance(event, events.Lagged):  # Whose events were dropped is not known: it concerns everyone.
            for each in list(self._sessions.values()):
                each._deliver(event)
        session = self._sessions.get(raw.handle)
        if session is not None:
            session._deliver(event)
