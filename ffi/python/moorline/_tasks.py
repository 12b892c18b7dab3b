"""Blocks that end in forked children, and work that blocks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any, Callable, Iterator, Optional, TypeVar

from .errors import ForkedError

T = TypeVar("T")


@contextlib.contextmanager
def leaving() -> Iterator[None]:
    """The end of a block in a forked child: what it would end is the parent's. So that `sys.exit` there does what it is to."""
    try:
        yield
    except ForkedError:
        pass


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Runs something that blocks in a thread of its own, which does not keep the process alive: those of executors do."""
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[T]" = loop.create_future()

    def tell(result: Any, error: Optional[BaseException]) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def run() -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as what:
            error = what
        try:
            loop.call_soon_threadsafe(tell, result, error)
        except RuntimeError:  # The loop has ended: nobody waits.
            pass

    threading.Thread(target=run, name="moorline-blocking", daemon=True).start()
    return await future

