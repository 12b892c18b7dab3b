"""What happens when a process ends or forks with clients still open.

At exit each is disposed of, all within one deadline. In a forked child nothing is: the clients are the parent's. That does not rest on
what is done here; the library itself answers `forked` to every call in the child, and touches nothing. Nothing here takes a lock.
"""

from __future__ import annotations

import atexit
import os
import time
import weakref
from typing import TYPE_CHECKING, Dict, List

from . import _library
from .errors import Error

if TYPE_CHECKING:
    from ._client import Client

DEADLINE = 3.0

_open: "Dict[int, weakref.ref[Client]]" = {}
_orphans: List[int] = []


def opened(client: "Client", handle: int) -> None:
    """Remembers a client until it is closed."""
    _open[handle] = weakref.ref(client)
    # Not at exit: then it is disposed of below. A finalizer must not wait, so it leaves the client to whoever comes next.
    weakref.finalize(client, _orphans.append, handle).atexit = False


def closed(handle: int) -> None:
    """Forgets a client."""
    _open.pop(handle, None)


def reap(deadline: float = DEADLINE) -> None:
    """Disposes of clients that were thrown away without being closed. Blocks."""
    while _orphans:
        handle = _orphans.pop()
        if _open.pop(handle, None) is not None:
            _end(handle, deadline)


def has_orphans() -> bool:
    """Whether there is something to reap."""
    return any(handle in _open for handle in _orphans)


def _end(handle: int, deadline: float) -> None:
    try:
        _library.dispose(handle, max(1, int(deadline * 1000)))
    except Error:
        pass


def _at_exit() -> None:
    until = time.monotonic() + DEADLINE
    for handle, reference in list(_open.items()):
        client = reference()
        if client is not None:
            client._state = "closed"
        closed(handle)
        _end(handle, until - time.monotonic())


def _in_child() -> None:
    _open.clear()
    _orphans.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
