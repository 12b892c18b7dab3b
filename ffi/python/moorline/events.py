"""What happens, as classes with named fields. Times are in seconds, sizes in bytes.

Texts of peers and participants are untrusted. Ids of peers and items are 52 characters of base32. Participants are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generator, Optional, Tuple

from . import _abi, _library
from ._decode import KINDS, data, decode, kind, micros, millis, number, read, span, status, word
from .errors import Error, closed, failure, misuse, status_name

_STATES = ("idle", "connecting", "live", "recovering", "migrating", "leaving", "closed")
_LEFT = ("unknown", "left", "timed_out", "replaced", "removed", "migrated")
_REASONS = {
    "failed": _abi.REJECT_FAILED,
    "no_such_method": _abi.REJECT_NO_SUCH_METHOD,
    "busy": _abi.REJECT_BUSY,
}


@dataclass(frozen=True)
class Event:
    """What all events have: `sequence` counts those of a client, from 1; 0 for what this side made up."""

    sequence: int = read(lambda raw: raw.sequence)


@dataclass(frozen=True)
class Ended(Event):
    """What the last events of nodes, rooms and downloads have. `status` is the name of a status."""

    status: str = status()
    _code: int = read(lambda raw: raw.status, repr=False)

    _FINE: ClassVar[Tuple[int, ...]] = (_abi.OK, _abi.E_CLOSED)

    @property
    def ok(self) -> bool:
        """Whether it ended as it was to: finished, stopped, or left by this side."""
        return self._code in self._FINE

    def error(self) -> Optional[Error]:
        """Why it ended, as an exception; None if `ok`."""
        return None if self.ok else failure(self._code, getattr(self, "reason", ""))


@dataclass(frozen=True)
class UnknownEvent(Event):
    """An event that a newer library knows, and this package does not."""

    kind: int = read(lambda raw: raw.kind)
    status: str = status()
    numbers: Tuple[int, ...] = read(lambda raw: raw.numbers)
    spans: Tuple[bytes, ...] = read(lambda raw: raw.spans)


@kind(_abi.EVENT_LAGGED)
@dataclass(frozen=True)
class Lagged(Event):
    """`count` events were dropped because nobody took them. What follows is newer: ask for a snapshot to catch up."""

    count: int = number(0)


@kind(_abi.EVENT_PANIC)
@dataclass(frozen=True)
class Panic(Event):
    """A defect of the library was contained: what was under way there was cancelled before this event, and the sessions concerned
    end after it."""

    task: str = span(0)
    message: str = span(1)


@kind(_abi.EVENT_CLIENT_CLOSED)
@dataclass(frozen=True)
class ClientClosed(Ended):
    """The last event of a client. `reason`: what had to be cut off."""

    reason: str = span(0)


@kind(_abi.EVENT_NODE_STARTED)
@dataclass(frozen=True)
class NodeStarted(Event):
    """The node runs."""

    peer: str = span(0)
    address: str = span(1)


@kind(_abi.EVENT_NODE_STOPPED)
@dataclass(frozen=True)
class NodeStopped(Ended):
    """The last event of a node."""

    reason: str = span(0)


@kind(_abi.EVENT_NODE_FAILED)
@dataclass(frozen=True)
class NodeFailed(Event):
    """A service that the node cannot do without died; NodeStopped follows."""

    component: str = span(0)
    error: str = span(1)


@kind(_abi.EVENT_PEER_UP)
@dataclass(frozen=True)
class PeerUp(Event):
    """A peer is connected."""

    items: int = number(0)
    round_trip: float = micros(1)
    shares: bool = number(2, bool)
    peer: str = span(0)
    name: str = span(1)
    address: str = span(2)
    program: str = span(3)


@kind(_abi.EVENT_PEER_DOWN)
@dataclass(frozen=True)
class PeerDown(Event):
    """A peer is no longer connected."""

    said_goodbye: bool = number(0, bool)
    peer: str = span(0)
    name: str = span(1)
    reason: str = span(2)


@kind(_abi.EVENT_PEER_REFUSED)
@dataclass(frozen=True)
class PeerRefused(Event):
    """A peer cannot be joined, and trying again will not mend it. `status`: access, or protocol."""

    status: str = status()
    found: str = span(0)
    reason: str = span(1)


@kind(_abi.EVENT_OFFERS_CHANGED)
@dataclass(frozen=True)
class OffersChanged(Event):
    """What connected peers offer changed: see `Node.offers`."""


@kind(_abi.EVENT_LIBRARY_CHANGED)
@dataclass(frozen=True)
class LibraryChanged(Event):
    """What this node shares changed: see `Node.items`."""

    revision: int = number(0)


@kind(_abi.EVENT_UPLOAD_STARTED)
@dataclass(frozen=True)
class UploadStarted(Event):
    """A peer began to fetch from this node."""

    peer: str = span(0)
    name: str = span(1)
    item: str = span(2)


@kind(_abi.EVENT_SERVICE)
@dataclass(frozen=True)
class ServiceChanged(Event):
    """A service of the node changed its state."""

    service: str = span(0)
    state: str = span(1)


@kind(_abi.EVENT_DOWNLOAD_CHECKING)
@dataclass(frozen=True)
class DownloadChecking(Event):
    """What is on this disk already is compared with the item."""

    done: int = number(0)
    total: int = number(1)


@kind(_abi.EVENT_DOWNLOAD_PLANNED)
@dataclass(frozen=True)
class DownloadPlanned(Event):
    """Fetching begins. `kept`: bytes from an earlier run."""

    total: int = number(0)
    files: int = number(1)
    chunks: int = number(2)
    kept: int = number(3)
    item: str = span(0)
    name: str = span(1)


@kind(_abi.EVENT_DOWNLOAD_PROGRESS)
@dataclass(frozen=True)
class DownloadProgress(Event):
    """How far it is: `done` bytes are verified and written. `rate`: bytes a second."""

    done: int = number(0)
    total: int = number(1)
    rate: int = number(2)
    sources: int = number(3)


@kind(_abi.EVENT_DOWNLOAD_SOURCE_DROPPED)
@dataclass(frozen=True)
class SourceDropped(Event):
    """A source is no longer used."""

    peer: str = span(0)
    name: str = span(1)
    reason: str = span(2)


@kind(_abi.EVENT_DOWNLOAD_ALONE)
@dataclass(frozen=True)
class DownloadAlone(Event):
    """The last source left, and the download waits for another one."""


@kind(_abi.EVENT_DOWNLOAD_ENDED)
@dataclass(frozen=True)
class DownloadEnded(Ended):
    """The last event of a download. If `ok`, the item is at `path`, whole and verified. `existed`: it was there already."""

    _FINE: ClassVar[Tuple[int, ...]] = (_abi.OK,)

    total: int = number(0)
    fetched: int = number(1)
    kept: int = number(2)
    duration: float = millis(3)
    existed: bool = number(4, bool)
    item: str = span(0)
    path: str = read(lambda raw: "" if raw.status else _library.text(raw.spans[1]))
    reason: str = read(lambda raw: _library.text(raw.spans[1]) if raw.status else "")


@kind(_abi.EVENT_ROOM_JOINED)
@dataclass(frozen=True)
class RoomJoined(Event):
    """The room was joined. What the token allows: `may_publish`, `may_call`, `may_update`."""

    participant: int = number(0)
    participants: int = number(1)
    may_publish: bool = number(2, lambda value: bool(value & 1))
    may_call: bool = number(2, lambda value: bool(value & 2))
    may_update: bool = number(2, lambda value: bool(value & 4))
    session: str = span(0)
    server: str = span(1)


@kind(_abi.EVENT_ROOM_STATE)
@dataclass(frozen=True)
class RoomState(Event):
    """What the room does changed: idle, connecting, live, recovering, migrating, leaving, closed."""

    before: str = word(0, _STATES)
    state: str = word(1, _STATES)
    reason: str = span(0)


@kind(_abi.EVENT_ROOM_CONNECTION_LOST)
@dataclass(frozen=True)
class ConnectionLost(Event):
    """The connection is lost and a recovery begins; Recovered or Disconnected will end it."""

    epoch: int = number(0)
    reason: str = span(0)


@kind(_abi.EVENT_ROOM_RECOVERED)
@dataclass(frozen=True)
class Recovered(Event):
    """There is a connection again. `complete`: nothing was missed."""

    epoch: int = number(0)
    complete: bool = number(1, bool)
    replayed: int = number(2)
    repeated: int = number(3)
    downtime: float = millis(4)
    strategy: str = span(0)


@kind(_abi.EVENT_ROOM_RESYNC)
@dataclass(frozen=True)
class Resync(Event):
    """Deliveries were lost: see `Room.participants`."""

    participant: int = number(0)
    participants: int = number(1)


@kind(_abi.EVENT_ROOM_MESSAGE)
@dataclass(frozen=True)
class Message(Event):
    """A message. `number`: the sender's number of it."""

    participant: int = number(0)
    reliable: bool = number(1, bool)
    number: int = number(2)
    payload: bytes = data(0)
    topic: str = span(1)


@dataclass(frozen=True)
class _Somebody(Event):
    participant: int = number(0)
    identity: str = span(0)
    name: str = span(1)
    metadata: str = span(2)


@kind(_abi.EVENT_ROOM_PARTICIPANT_JOINED)
@dataclass(frozen=True)
class ParticipantJoined(_Somebody):
    """Somebody came."""


@kind(_abi.EVENT_ROOM_PARTICIPANT_UPDATED)
@dataclass(frozen=True)
class ParticipantUpdated(_Somebody):
    """Somebody says something else of itself."""


@kind(_abi.EVENT_ROOM_PARTICIPANT_LEFT)
@dataclass(frozen=True)
class ParticipantLeft(_Somebody):
    """Somebody went: left, timed_out, replaced, removed, migrated."""

    reason: str = word(1, _LEFT)


@kind(_abi.EVENT_ROOM_VALUE)
@dataclass(frozen=True)
class ValueChanged(Event):
    """A participant announced a value. Empty: it is gone."""

    participant: int = number(0)
    revision: int = number(1)
    value: bytes = data(0)
    key: str = span(1)


class Done:
    """What is done already, and may be awaited all the same."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


@kind(_abi.EVENT_ROOM_CALL)
@dataclass(frozen=True)
class Call(Event):
    """A participant calls: `reply` or `reject`, once, within `timeout`. Both act at once; `await` is optional."""

    participant: int = number(0)
    timeout: float = millis(1)
    payload: bytes = data(0)
    method: str = span(1)
    _client: int = read(lambda raw: raw.client, repr=False)
    _call: int = read(lambda raw: raw.request, repr=False)

    def reply(self, payload: "bytes | str" = b"") -> Done:
        """Answers. ClosedError if the call is over: answered, timed out, or its room ended."""
        answer = _library.encode(payload)
        return self._answer("moorline_call_reply", answer, len(answer))

    def reject(self, message: str = "", reason: str = "failed") -> Done:
        """Refuses: "failed" with a message, "no_such_method" or "busy"."""
        if reason not in _REASONS:
            raise misuse(f"{reason!r} is no reason: use one of {', '.join(_REASONS)}")
        said = _library.encode(message)
        return self._answer("moorline_call_reject", _REASONS[reason], said, len(said))

    def _answer(self, function: str, *args: object) -> Done:
        try:
            _library.invoke(function, self._client, self._call, *args)
        except Error as error:
            if error.status == _abi.E_BAD_HANDLE:
                raise closed("the call is over: it was answered, timed out, or its room ended") from None
            raise
        return Done()


@kind(_abi.EVENT_ROOM_DISCONNECTED)
@dataclass(frozen=True)
class Disconnected(Ended):
    """The last event of a room. `status`: closed if this side left."""

    reason: str = span(0)


def of(raw: _library.Raw) -> Event:
    """The event that crossed the boundary."""
    made: Event = decode(raw, KINDS.get(raw.kind, UnknownEvent))
    return made


__all__ = [
    "Event",
    "Ended",
    "UnknownEvent",
    "Lagged",
    "Panic",
    "ClientClosed",
    "NodeStarted",
    "NodeStopped",
    "NodeFailed",
    "PeerUp",
    "PeerDown",
    "PeerRefused",
    "OffersChanged",
    "LibraryChanged",
    "UploadStarted",
    "ServiceChanged",
    "DownloadChecking",
    "DownloadPlanned",
    "DownloadProgress",
    "SourceDropped",
    "DownloadAlone",
    "DownloadEnded",
    "RoomJoined",
    "RoomState",
    "ConnectionLost",
    "Recovered",
    "Resync",
    "Message",
    "ParticipantJoined",
    "ParticipantUpdated",
    "ParticipantLeft",
    "ValueChanged",
    "Call",
    "Disconnected",
]
