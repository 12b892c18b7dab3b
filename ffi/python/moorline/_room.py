"""Rooms: joining, leaving, talking, calling and answering."""

from __future__ import annotations

import asyncio
import ctypes
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Dict, List, Mapping, Optional, Sequence, Set, Union

from . import _abi, records
from ._library import encode, milliseconds, options
from ._session import Session
from ._tasks import leaving
from .errors import Error, Refusal, misuse
from .events import Call, Disconnected, Event, RoomJoined

if TYPE_CHECKING:
    from types import TracebackType

    from ._client import Client
    from ._node import Node

Answer = Union[bytes, str, None]
Handler = Callable[[Call], Union[Answer, Awaitable[Answer]]]

_DELIVERIES = {"reliable": _abi.SEND_RELIABLE, "latest": _abi.SEND_LATEST, "ephemeral": _abi.SEND_EPHEMERAL}
_HINTS = {
    "offline": _abi.HINT_OFFLINE,
    "online": _abi.HINT_ONLINE,
    "path_changed": _abi.HINT_PATH_CHANGED,
    "retry_now": _abi.HINT_RETRY_NOW,
}
# Calls that handlers may be answering at once; whoever calls beyond that is told "busy".
MAX_CALLS = 256


class Room(Session[Disconnected]):
    """A room: messages, values, calls. Made by `Client.room`; `async with` joins and leaves it."""

    _what = "room"

    def __init__(self, client: "Client", node: "Optional[Node]", settings: Dict[str, Any]) -> None:
        super().__init__(client)
        self._node = node  # A node that nobody holds would stop.
        self._options = settings
        self._handlers: Dict[str, Handler] = {}
        self._answering: "Set[asyncio.Task[None]]" = set()
        self.participant = 0
        """This side's number, once joined."""
        self.session = ""
        """The session's id, once joined."""

    async def join(self) -> "Room":
        """Joins, and waits until that is done. Part of `async with`. Cancelled, it gives up at once."""
        self._begin_once()
        node = self._node._require() if self._node is not None else 0
        handle = ctypes.c_uint64()
        made = options(_abi.RoomOptions, **self._options)
        self._client._invoke("moorline_room_join", node, ctypes.byref(made), ctypes.byref(handle))
        self._adopt(handle.value)
        await self._begun(lambda: self.session)
        return self

    async def leave(self) -> None:
        """Leaves with a goodbye, and waits for the last event. Again changes nothing."""
        await self._finish("moorline_room_leave")

    async def __aenter__(self) -> "Room":
        return await self.join()

    async def __aexit__(
        self, kind: Optional[type], error: Optional[BaseException], trace: "Optional[TracebackType]"
    ) -> None:
        with leaving():
            await self.leave()

    async def send(
        self,
        payload: "bytes | str",
        *,
        delivery: str = "reliable",
        topic: str = "",
        to: Sequence[int] = (),
        ttl: float = 30.0,
    ) -> None:
        """Sends a message to everyone else, or to the participants `to`; done when the server has it.

        `delivery`: "reliable" is kept, in order and sent again after a loss; "latest" is the newest value of the key `topic`, known to
        whoever comes later; "ephemeral" goes at once or not at all. `ttl`: seconds to wait for a connection.
        """
        if delivery not in _DELIVERIES:
            raise misuse(f"{delivery!r} is no way to deliver: use one of {', '.join(_DELIVERIES)}")
        made = options(_abi.SendOptions, delivery=_DELIVERIES[delivery], topic=topic, ttl_ms=max(1, milliseconds(ttl)))
        made.to = (ctypes.c_uint64 * len(to))(*to) if to else None
        made.to_count = len(to)
        data = encode(payload)
        await self._client._request("moorline_room_send", self._require(), ctypes.byref(made), data, len(data))

    async def call(self, participant: int, method: str, payload: "bytes | str" = b"", *, timeout: float = 10.0) -> bytes:
        """Calls a participant and returns the answer. TimeoutError after `timeout` seconds; RoomError if it is refused."""
        name, data = encode(method), encode(payload)
        limit = max(1, milliseconds(timeout))
        return await self._client._request(
            "moorline_room_call", self._require(), participant, name, len(name), data, len(data), limit
        )

    async def update(
        self,
        *,
        name: Optional[str] = None,
        metadata: Optional[str] = None,
        attributes: Optional[Mapping[str, "bytes | str"]] = None,
    ) -> None:
        """Changes what this participant says of itself. None leaves things as they are; an empty attribute is removed."""
        told: Dict[str, Any] = {}
        if name is not None:
            told["name"] = name
        if metadata is not None:
            told["metadata"] = metadata
        if attributes:
            told.update(keys=list(attributes), values=list(attributes.values()), attribute_count=len(attributes))
        made = options(_abi.UpdateOptions, **told)
        await self._client._request("moorline_room_update", self._require(), ctypes.byref(made))

    def on_call(self, method: str, handler: Optional[Handler]) -> None:
        """Has calls of a method answered by a function or coroutine function: what it returns is the answer, `Refusal` refuses, and
        what else it raises is logged and refused as "failed". None takes it away.

        A room with handlers refuses calls of all other methods; one without yields calls as events, `Call`, to be answered there.
        """
        if handler is None:
            self._handlers.pop(method, None)
        else:
            self._handlers[method] = handler

    def hint(self, advice: str) -> None:
        """Tells the room what the system knows of the network: "offline", "online", "path_changed" or "retry_now"."""
        if advice not in _HINTS:
            raise misuse(f"{advice!r} is no hint: use one of {', '.join(_HINTS)}")
        self._client._call("moorline_room_hint", self._require(), _HINTS[advice])

    def info(self) -> records.RoomInfo:
        """How it is now."""
        return records.one(self._snapshot("moorline_room_info"), records.RoomInfo)

    def participants(self) -> List[records.Participant]:
        """Who is in the room, this side included. May be ahead of events that were not read yet."""
        return records.participants(self._snapshot("moorline_room_participants"))

    def _deliver(self, event: Event) -> None:
        if not (isinstance(event, Call) and self._handlers):
            super()._deliver(event)
        elif event.method not in self._handlers:
            _refuse(event, "", "no_such_method")
        elif len(self._answering) >= MAX_CALLS:
            _refuse(event, "", "busy")
        else:
            task = asyncio.ensure_future(self._answer(event, self._handlers[event.method]))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer(self, call: Call, handler: Handler) -> None:
        try:
            answer = handler(call)
            if isinstance(answer, Awaitable):
                answer = await answer
            call.reply(b"" if answer is None else answer)
        except Refusal as refusal:
            _refuse(call, refusal.message, refusal.reason)
        except asyncio.CancelledError:
            _refuse(call, "", "busy")
            raise
        except Error as error:  # It is over already, or the answer is too large.
            _refuse(call, error.message, "failed")
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the handler of calls of {call.method!r} failed", "exception": error}
            )
            _refuse(call, "the handler failed", "failed")

    def _seen(self, event: Event) -> None:
        if isinstance(event, RoomJoined):
            self.participant, self.session = event.participant, event.session
        elif isinstance(event, Disconnected):
            for task in self._answering:
                task.cancel()

    def _given_up(self, event: Event) -> None:
        if isinstance(event, Call):  # Nobody will read it any more: better told than left waiting.
            _refuse(event, "", "busy")


def _refuse(call: Call, message: str, reason: str) -> None:
    try:
        call.reject(message, reason)
    except Error:  # It is over already.
        pass
