"""The same words without asyncio: for threads, scripts and prompts.

    with moorline.sync.Client() as client, client.node(share=["photos"]) as node:
        for event in node.download("music", "downloads"):
            print(event)

A client keeps one thread, in which the asyncio client runs; every function here may be called from any other thread. Events, records and
exceptions are those of `moorline`. Ctrl-C in a wait calls off what is waited for.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading
from typing import Any, Callable, Coroutine, Generic, Iterator, List, Mapping, Optional, TypeVar, Union, overload

from . import _abi, _client, _node, _room, records
from ._session import Session as _Session
from ._stream import Stream as _Stream
from ._tasks import in_thread, leaving
from .errors import CancelledError, ClosedError, closed, failure
from .events import Call, DownloadEnded, Event

T = TypeVar("T")
S = TypeVar("S", bound="_Session[Any]")


class _Runner:
    """An event loop in a thread. A forked child has no such thread: whoever calls asks the library first whether this is one, so that
    the lock, which may have been held when it forked, is not touched there."""

    def __init__(self, client: _client.Client) -> None:
        self.client = client
        self._lock = threading.Lock()
        self._over = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="moorline-sync", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return self._over

    @overload
    def run(self, function: Callable[..., Coroutine[Any, Any, T]], *args: Any, **more: Any) -> T: ...

    @overload
    def run(self, function: Callable[..., T], *args: Any, **more: Any) -> T: ...

    def run(self, function: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """Runs a function or coroutine function in the loop's thread, and waits for it."""
        self.client._check()
        if threading.current_thread() is self._thread:
            raise failure(_abi.E_WOULD_DEADLOCK, "this would wait for the thread that it runs in")
        with self._lock:
            if self._over:
                raise closed("the client is closed")
            future = asyncio.run_coroutine_threadsafe(_settle(function, *args, **more), self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise failure(_abi.E_CANCELLED, "the client was closed meanwhile") from None
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        with self._lock:
            self._over = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            # Whoever came in before the end is told.
            waiting = asyncio.all_tasks(self._loop)
            for task in waiting:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        finally:
            self._loop.close()


async def _settle(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    result = function(*args, **more)
    return await result if asyncio.iscoroutine(result) else result


class Stream:
    """Events for one consumer, with a queue of its own: see `moorline.Stream`."""

    def __init__(self, runner: _Runner, stream: _Stream) -> None:
        self._runner = runner
        self._stream = stream

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None after the last. TimeoutError if none comes within `timeout` seconds."""
        if not self._runner.over:
            try:
                return self._runner.run(self._stream.next, timeout)
            except (CancelledError, ClosedError):
                if not self._runner.over:
                    raise
        # Nothing follows, but what came is still there.
        return self._stream.now()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event


class _Wrapper(Generic[S]):
    """A session of the asyncio client."""

    def __init__(self, runner: _Runner, inner: S) -> None:
        self._runner = runner
        self._inner = inner
        self._stream = Stream(runner, inner._stream)
        self._run = runner.run

    def __iter__(self: T) -> T:
        return self

    def __next__(self) -> Event:
        return next(self._stream)

    def next(self, timeout: Optional[float] = None) -> Optional[Event]:
        """The next event; None after the last. TimeoutError if none comes within `timeout` seconds."""
        return self._stream.next(timeout)

    def events(self, capacity: int = 0) -> Stream:
        """One more consumer of the events from now on."""
        return Stream(self._runner, self._run(self._inner.events, capacity))


class Client:
    """See `moorline.Client`."""

    def __init__(self, **settings: Any) -> None:
        self._inner = _client.Client(**settings)
        self._runner: Optional[_Runner] = None

    def open(self) -> "Client":
        """Begins. Part of `with`."""
        runner = _Runner(self._inner)
        try:
            runner.run(self._inner.open)
        except BaseException:
            runner.stop()
            raise
        self._runner = runner
        return self

    def close(self, deadline: float = 5.0) -> None:
        """Ends all that is open in it and waits for that; TimeoutError if something had to be cut off. Again changes nothing."""
        runner = self._runner
        if runner is None or runner.over:
            return
        try:
            runner.run(self._inner.close, deadline)
        finally:
            if self._inner._state == "closed":
                runner.stop()

    def __enter__(self) -> "Client":
        return self.open()

    def __exit__(self, *_: object) -> None:
        with leaving():
            self.close()

    def node(self, **settings: Any) -> "Node":
        """See `moorline.Client.node`."""
        runner = self._running()
        return Node(runner, runner.run(self._inner.node, **settings))

    def room(self, url: str, room: str, *, node: "Optional[Node]" = None, **settings: Any) -> "Room":
        """See `moorline.Client.room`."""
        runner = self._running()
        inner = node._inner if node is not None else None
        return Room(runner, runner.run(self._inner.room, url, room, node=inner, **settings))

    def __iter__(self) -> Stream:
        return Stream(self._running(), self._inner._stream)

    def _running(self) -> _Runner:
        if self._runner is None:
            raise closed("the client is not open: use `with Client() as client`")
        return self._runner


class Node(_Wrapper[_node.Node]):
    """See `moorline.Node`."""

    @property
    def peer(self) -> str:
        """Its id."""
        return self._inner.peer

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._inner.address

    def start(self) -> "Node":
        """Starts it, and waits until it runs. Part of `with`."""
        self._run(self._inner.start)
        return self

    def stop(self) -> None:
        """Stops it, and waits for that."""
        if not self._runner.over:
            self._run(self._inner.stop)

    def __enter__(self) -> "Node":
        return self.start()

    def __exit__(self, *_: object) -> None:
        with leaving():
            self.stop()

    def share(self, path: _node.Path, children: bool = False) -> None:
        """Shares one more file or folder."""
        self._run(self._inner.share, path, children)

    def add_peer(self, address: str) -> None:
        """Connects to a peer at "ip:port", and stays connected."""
        self._run(self._inner.add_peer, address)

    def download(self, item: str, into: _node.Path, **settings: Any) -> "Download":
        """Fetches an item: see `moorline.Node.download`. It begins at once."""
        return Download(self._runner, self._run(self._inner.download, item, into, **settings))

    def info(self) -> records.NodeInfo:
        """How it is now."""
        return self._run(self._inner.info)

    def peers(self) -> List[records.Peer]:
        """Who is connected."""
        return self._run(self._inner.peers)

    def offers(self) -> List[records.Offer]:
        """What connected peers offer."""
        return self._run(self._inner.offers)

    def items(self) -> List[records.Item]:
        """What it shares itself."""
        return self._run(self._inner.items)


class Download(_Wrapper[_node.Download]):
    """See `moorline.Download`."""

    def result(self) -> DownloadEnded:
        """Waits for the end. Raises if it failed, or was called off."""
        return self._run(self._inner._result)

    def cancel(self) -> None:
        """Calls it off."""
        self._run(self._inner.cancel)

    def info(self) -> records.DownloadInfo:
        """How far it is."""
        return self._run(self._inner.info)

    def __enter__(self) -> "Download":
        return self

    def __exit__(self, *error: Any) -> None:
        with leaving():
            if not self._runner.over:
                self._run(self._inner.__aexit__, *error)


class Room(_Wrapper[_room.Room]):
    """See `moorline.Room`."""

    @property
    def participant(self) -> int:
        """This side's number."""
        return self._inner.participant

    def join(self) -> "Room":
        """Joins, and waits until that is done. Part of `with`."""
        self._run(self._inner.join)
        return self

    def leave(self) -> None:
        """Leaves, and waits for that."""
        if not self._runner.over:
            self._run(self._inner.leave)

    def __enter__(self) -> "Room":
        return self.join()

    def __exit__(self, *_: object) -> None:
        with leaving():
            self.leave()

    def send(self, payload: "bytes | str", **settings: Any) -> None:
        """Sends a message: see `moorline.Room.send`."""
        self._run(self._inner.send, payload, **settings)

    def call(self, participant: int, method: str, payload: "bytes | str" = b"", *, timeout: float = 10.0) -> bytes:
        """Calls a participant and returns the answer."""
        return self._run(self._inner.call, participant, method, payload, timeout=timeout)

    def update(
        self,
        *,
        name: Optional[str] = None,
        metadata: Optional[str] = None,
        attributes: Optional[Mapping[str, "bytes | str"]] = None,
    ) -> None:
        """Changes what this participant says of itself."""
        self._run(self._inner.update, name=name, metadata=metadata, attributes=attributes)

    def on_call(self, method: str, handler: Optional[Callable[[Call], Union[bytes, str, None]]]) -> None:
        """Has calls of a method answered by a function, in a thread of its own for each call."""

        self._run(self._inner.on_call, method, None if handler is None else functools.partial(in_thread, handler))

    def hint(self, advice: str) -> None:
        """Tells the room what the system knows of the network."""
        self._run(self._inner.hint, advice)

    def info(self) -> records.RoomInfo:
        """How it is now."""
        return self._run(self._inner.info)

    def participants(self) -> List[records.Participant]:
        """Who is in the room."""
        return self._run(self._inner.participants)


__all__ = ["Client", "Download", "Node", "Room", "Stream"]
