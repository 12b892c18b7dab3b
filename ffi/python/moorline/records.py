"""What snapshots consist of: how things are now, as classes with named fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Tuple, Type, TypeVar

from . import _abi
from ._decode import decode, micros, number, span, status, word
from ._library import Raw, text

T = TypeVar("T")

_STATES = ("idle", "connecting", "live", "recovering", "migrating", "leaving", "closed")


@dataclass(frozen=True)
class NodeInfo:
    """A node. `tree`: its tasks, drawn."""

    peers: int = number(0)
    downloads: int = number(1)
    tasks: int = number(2)
    running: bool = number(3, bool)
    peer: str = span(0)
    address: str = span(1)
    tree: str = span(2)


@dataclass(frozen=True)
class Peer:
    """A connected peer."""

    items: int = number(0)
    round_trip: float = micros(1)
    shares: bool = number(2, bool)
    peer: str = span(0)
    name: str = span(1)
    address: str = span(2)
    program: str = span(3)


@dataclass(frozen=True)
class Item:
    """An item that this node shares."""

    total: int = number(0)
    files: int = number(1)
    item: str = span(0)
    name: str = span(1)
    version: str = span(2)
    title: str = span(3)


@dataclass(frozen=True)
class Provider:
    """A peer that has an offered item. `item_name`: what it calls it."""

    peer: str = span(0)
    name: str = span(1)
    address: str = span(2)
    item_name: str = span(3)


@dataclass(frozen=True)
class _Offer:
    total: int = number(0)
    files: int = number(1)
    item: str = span(0)
    name: str = span(1)
    version: str = span(2)
    title: str = span(3)


@dataclass(frozen=True)
class Offer(_Offer):
    """An item that peers offer."""

    providers: Tuple[Provider, ...] = ()


@dataclass(frozen=True)
class DownloadInfo:
    """A download. `status`: ok while it goes on or is finished, else why it ended."""

    done: int = number(0)
    total: int = number(1)
    rate: int = number(2)
    sources: int = number(3)
    item: str = span(0)
    name: str = span(1)
    status: str = status()


@dataclass(frozen=True)
class RoomInfo:
    """A room. `participant`: this side's number, or 0."""

    state: str = word(0, _STATES)
    participant: int = number(1)
    participants: int = number(2)
    session: str = span(0)


@dataclass(frozen=True)
class _Participant:
    participant: int = number(0)
    identity: str = span(0)
    name: str = span(1)
    metadata: str = span(2)


@dataclass(frozen=True)
class Participant(_Participant):
    """A participant, with what it says of itself and the newest values that it announced."""

    attributes: Dict[str, bytes] = field(default_factory=dict)
    values: Dict[str, bytes] = field(default_factory=dict)


def one(rows: List[Raw], cls: Type[T]) -> T:
    """The only record of a snapshot."""
    return many(rows, cls)[0]


def many(rows: Iterable[Raw], cls: Type[T]) -> List[T]:
    """All records of a snapshot."""
    return [decode(row, cls) for row in rows]


def offers(rows: Iterable[Raw]) -> List[Offer]:
    """Offers, each followed by its providers."""
    made: List[Tuple[_Offer, List[Provider]]] = []
    for row in rows:
        if row.kind == _abi.RECORD_OFFER:
            made.append((decode(row, _Offer), []))
        elif made:
            made[-1][1].append(decode(row, Provider))
    return [Offer(**vars(offer), providers=tuple(providers)) for offer, providers in made]


def participants(rows: Iterable[Raw]) -> List[Participant]:
    """Participants, each followed by its attributes and values."""
    made: List[Participant] = []
    for row in rows:
        if row.kind == _abi.RECORD_PARTICIPANT:
            made.append(Participant(**vars(decode(row, _Participant))))
        elif made:
            more = made[-1].attributes if row.kind == _abi.RECORD_ATTRIBUTE else made[-1].values
            more[text(row.spans[1])] = row.spans[0]
    return made
