"""What the tests have in common."""

import asyncio
import contextlib
import ctypes
import functools
import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import moorline
from moorline import _library

NEEDED = {
    "MOORLINE_PROGRAM": "the program moorline, whose room server is used",
    "MOORLINE_TEST_LIBRARY": "the native library as built with the feature test-hooks",
}
SECONDS = 40

# Where scripts of the tests begin.
PRELUDE = "import asyncio, gc, os, signal, sys, threading, time\nimport moorline, moorline.sync\nfrom helpers import *\n"
LOCAL = dict(listen="127.0.0.1:0", multicast=False)

# Where a panic is to happen: see moorline_test_panic.
PANIC_HERE, PANIC_TASK, PANIC_PUMP, PANIC_CALLBACK, PANIC_DROP = range(1, 6)


def live(function):
    """Runs a coroutine function as a test, with a deadline."""

    @functools.wraps(function)
    def run(*args, **more):
        async def within():
            await asyncio.wait_for(function(*args, **more), SECONDS)

        asyncio.run(within())

    return run


def run(main, seconds=SECONDS):
    """Runs a coroutine in a script."""

    async def within():
        return await asyncio.wait_for(main, seconds)

    return asyncio.run(within())


@contextlib.contextmanager
def room_server():
    """`moorline signal` on a port of its own; yields its URL."""
    command = [os.environ["MOORLINE_PROGRAM"], "signal", "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            ready = next(line for line in map(json.loads, server.stdout) if line["type"] == "ready")
            yield f"ws://{ready['listen']}"
        finally:
            server.kill()


def digest(folder):
    """What is in a folder: path to hash."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def first(events, kind, seconds=20):
    """The next event of a kind."""

    async def look():
        async for event in events:
            if isinstance(event, kind):
                return event
        raise AssertionError(f"ended without a {kind.__name__}")

    return await asyncio.wait_for(look(), seconds)


async def until(condition, seconds=10):
    """Waits for something that nobody announces."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it did not come to that in time")
        await asyncio.sleep(0.005)


async def offered(node, seconds=20):
    """Waits until a peer offers something."""
    while not node.offers():
        await first(node, moorline.OffersChanged, seconds)
    return node.offers()[0]


def hook(name, *args):
    """Calls a function that only test builds have."""
    function = getattr(_library.library(), name)
    function.restype = ctypes.c_int32
    status = function(*args)
    if status not in (0, 900):
        raise moorline.errors.failure(status, name)
    return status


def make_panic(client, handle, where):
    return hook("moorline_test_panic", ctypes.c_uint64(client._handle), ctypes.c_uint64(handle), ctypes.c_uint32(where))


def emit(client, kind, count, size=0):
    return hook(
        "moorline_test_emit", ctypes.c_uint64(client._handle), ctypes.c_uint32(kind), ctypes.c_uint32(count), ctypes.c_uint32(size)
    )


def endless_request(client, handle):
    """A request that ends only when it is cancelled; answers with a task that waits for it."""
    request = ctypes.c_uint64()
    hook("moorline_test_request", ctypes.c_uint64(client._handle), ctypes.c_uint64(handle), ctypes.byref(request))
    return asyncio.ensure_future(client._done(request.value, client._expect(request.value)))


def descriptors():
    """What this process has open."""
    return len(os.listdir("/proc/self/fd"))


def threads():
    """How many threads this process has, those of the library included."""
    return len(os.listdir("/proc/self/task"))


def settles(count, limit, seconds=5):
    """Whether a count comes down to a limit: a thread that has ended is still listed for a moment."""
    end = time.monotonic() + seconds
    while count() > limit and time.monotonic() < end:
        time.sleep(0.005)
    return count() <= limit


def ok_in_child(function, *args):
    """Forks, runs a function in the child, and answers with how it ended and how long that took: 0 is fine."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        code = 70
        try:
            function(*args)
            code = 0
        except BaseException as error:  # A test must not go on in two processes.
            import traceback

            traceback.print_exception(type(error), error, error.__traceback__)
        finally:
            os._exit(code)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), time.monotonic() - began
        if time.monotonic() - began > 20:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return "hung", time.monotonic() - began
        time.sleep(0.001)


def raises(kind, function, *args, **more):
    """Whether a call raises."""
    try:
        function(*args, **more)
    except kind:
        return True
    return False
