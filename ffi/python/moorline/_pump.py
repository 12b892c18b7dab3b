"""Takes events from the library and hands them to the thread of an event loop."""

from __future__ import annotations

import asyncio
import ctypes
import threading
from typing import Callable, List, Optional

from . import _library
from ._library import Raw
from .errors import Error, ForkedError

_BATCH = 256
_NAP_MS = 250


class Pump:
    """Wakes up by the client's descriptor, or, where there is none or the loop cannot watch it, by a thread that waits."""

    def __init__(self, client: int, loop: asyncio.AbstractEventLoop, deliver: Callable[[List[Raw]], None]) -> None:
        self._client = client
        self._loop = loop
        self._deliver = deliver
        self._descriptor: Optional[int] = None
        self._stopped = False
        descriptor = ctypes.c_int32()
        try:
            _library.call("moorline_events_fd", client, ctypes.byref(descriptor))
            loop.add_reader(descriptor.value, self._ready)
            self._descriptor = descriptor.value
        except (Error, NotImplementedError):
            threading.Thread(target=self._wait, name="moorline-events", daemon=True).start()

    @property
    def by_descriptor(self) -> bool:
        """Whether no thread is needed."""
        return self._descriptor is not None

    def stop(self) -> None:
        """Ends it, on the loop's thread. Before `moorline_dispose`: that closes the descriptor, and its number may come again."""
        self._stopped = True
        if self._descriptor is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)

    def _ready(self) -> None:
        """The descriptor is readable, for as long as there are events: one batch a turn leaves time for others."""
        if self._stopped:
            return
        try:
            raws = _library.take(self._client, _BATCH, 0)
        except ForkedError:  # The loop's selector is shared with the parent: what is taken out of it here is taken from there.
            self._stopped = True
            return
        except Error:  # Disposed of.
            self.stop()
            return
        self._deliver(raws)

    def _wait(self) -> None:
        handed_over = threading.Event()

        def hand_over(raws: List[Raw]) -> None:
            self._deliver(raws)
            handed_over.set()

        while not self._stopped:
            try:
                raws = _library.take(self._client, _BATCH, _NAP_MS)
                if raws:
                    handed_over.clear()
                    self._loop.call_soon_threadsafe(hand_over, raws)
                    # The next batch waits until this one is delivered, so that what is bounded there stays bounded here.
                    while not handed_over.wait(1) and not self._loop.is_closed():
                        pass
            except (Error, RuntimeError):  # The client or the loop has ended.
                return
