"""Exceptions, one class for each kind of cause: who can do something about it decides which it is."""

from __future__ import annotations

import builtins
from typing import Type

from . import _abi


class Error(Exception):
    """Something did not work. `status` is the number that the library gave, `name` its name, `message` a sentence for people."""

    def __init__(self, message: str = "", status: int = 0, name: str = "") -> None:
        super().__init__(message, status, name)
        self.message = message
        self.status = status
        self.name = name

    def __str__(self) -> str:
        return f"{self.message} ({self.name})" if self.name else self.message


class LibraryError(Error):
    """The native library cannot be found or loaded, or is of another version."""


class MisuseError(Error):
    """The program asked for something that makes no sense: an argument, a handle, the wrong thread or event loop."""


class StateError(Error):
    """It makes sense, but not in the state that things are in."""


class ForkedError(StateError):
    """This process is a fork of the one that opened the client, which stays the parent's. A new client works."""


class ClosedError(StateError):
    """The client or session has ended."""


class CancelledError(StateError):
    """Called off: what it belonged to ended, or a panic there was contained. Not asyncio's error of this name, which says that
    *your* task was cancelled."""


class TimeoutError(StateError, builtins.TimeoutError):
    """Not done in time."""


class LimitError(Error):
    """A bound was reached: too many, too large, or a queue is full."""


class PeerError(Error):
    """An item or a peer is at fault: nobody offers it, the last source left, access was refused."""


class RoomError(Error):
    """A room, its server or another participant is at fault: not reached, refused, replaced, no such method."""


class MachineError(Error):
    """The operating system refused something: no space, no permission, address in use."""


class DefectError(Error):
    """A defect of the library, contained. Please report it."""


class Refusal(Exception):
    """Raise it in a handler of calls to refuse one: `reason` is "failed", "no_such_method" or "busy", the message goes along with
    "failed"."""

    def __init__(self, message: str = "", reason: str = "failed") -> None:
        super().__init__(message, reason)
        self.message = message
        self.reason = reason


_CLASSES = {
    _abi.E_FORKED: ForkedError,
    _abi.E_DISPOSED: ClosedError,
    _abi.E_CLOSED: ClosedError,
    _abi.E_CANCELLED: CancelledError,
    _abi.E_TIMEOUT: TimeoutError,
    _abi.E_READY_TIMEOUT: TimeoutError,
}
_RANGES = ((100, MisuseError), (200, StateError), (300, LimitError), (400, PeerError), (500, RoomError), (600, MachineError))


def status_name(status: int) -> str:
    """The name of a status as a word."""
    return "ok" if status == 0 else _abi.STATUS_NAMES.get(status, "unknown")


def _class_of(status: int) -> Type[Error]:
    known = _CLASSES.get(status)
    if known is not None:
        return known
    if status < 1:
        return Error
    return next((cls for end, cls in _RANGES if status < end), DefectError if status >= 900 else Error)


def failure(status: int, message: str = "") -> Error:
    """The exception for a status."""
    name = status_name(status)
    return _class_of(status)(message or name.replace("_", " "), status, name)


def misuse(message: str) -> MisuseError:
    """A mistake of the caller that this side notices."""
    return MisuseError(message, _abi.E_INVALID_ARGUMENT, "invalid_argument")


def closed(message: str) -> ClosedError:
    """Something is over that this side knows to be over."""
    return ClosedError(message, _abi.E_CLOSED, "closed")


__all__ = [
    "Error",
    "LibraryError",
    "MisuseError",
    "StateError",
    "ForkedError",
    "ClosedError",
    "CancelledError",
    "TimeoutError",
    "LimitError",
    "PeerError",
    "RoomError",
    "MachineError",
    "DefectError",
    "Refusal",
]
