"""What crossing the boundary costs through ctypes. `bench.py TABLE LIBRARY` prints lines `figure NAME VALUE`; `cargo xtask bench ffi` runs it.

The table is the generated one of the package; the package itself, which adds to the cost of a call, is not used.
"""

import ctypes
import runpy
import statistics
import sys
import time
from ctypes import POINTER, byref, c_uint32, c_uint64, sizeof

abi = type("abi", (), runpy.run_path(sys.argv[1]))
library = abi.bind(ctypes.CDLL(sys.argv[2]))
library.moorline_test_emit.argtypes = [c_uint64, c_uint32, c_uint32, c_uint32]


def must(status: int) -> None:
    if status != abi.OK:
        raise RuntimeError(abi.STATUS_NAMES[status])


def median_ns(work, size: int, window: float = 0.4) -> float:
    """Calls `work`, which does `size` things, until the time is over: what one took."""
    samples = []
    end = time.perf_counter() + window
    while time.perf_counter() < end:
        before = time.perf_counter_ns()
        work()
        samples.append((time.perf_counter_ns() - before) / size)
    return statistics.median(samples)


def figure(name: str, value: float) -> None:
    print(f"figure python.{name} {value:.3f}")


client = c_uint64()
options = abi.InitOptions(sizeof(abi.InitOptions), abi.ABI_VERSION, 1, 1 << 16)
begin = time.perf_counter()
must(library.moorline_init(byref(options), byref(client), None))
figure("init", (time.perf_counter() - begin) * 1e3)

node = c_uint64()
settings = abi.NodeOptions(sizeof(abi.NodeOptions), abi.FLAG_READY | abi.FLAG_NO_MULTICAST)
listen = ctypes.create_string_buffer(b"127.0.0.1:0")
settings.listen = abi.Span(ctypes.addressof(listen), 11)
must(library.moorline_node_start(client, byref(settings), byref(node), None))

kind = c_uint32()
out = byref(kind)
figure("kind", median_ns(lambda: [library.moorline_kind(client, node, out) for _ in range(100)], 100))
figure("stale", median_ns(lambda: [library.moorline_node_stop(client, 12345) for _ in range(100)], 100))

events = POINTER(abi.Event)()
count = c_uint32()


def pass_events() -> None:
    """Sees each event, and copies what it carries."""
    must(library.moorline_test_emit(client, abi.EVENT_LOG, 1024, 32))
    left = 1024
    while left:
        must(library.moorline_events_poll(client, left, abi.FOREVER, byref(events), byref(count)))
        for at in range(count.value):
            span = events[at].spans[0]
            ctypes.string_at(span.data, span.length)
        left -= count.value
        must(library.moorline_free(events))


figure("events", 1e3 / median_ns(pass_events, 1024))

request = c_uint64()
address = b"127.0.0.1:9"


def request_and_wait() -> None:
    must(library.moorline_node_add_peer(client, node, address, len(address), byref(request), None))
    done = False
    while not done:
        must(library.moorline_events_poll(client, 16, abi.FOREVER, byref(events), byref(count)))
        done = any(events[at].request == request.value for at in range(count.value))
        must(library.moorline_free(events))


figure("request", median_ns(request_and_wait, 1) / 1e3)
must(library.moorline_dispose(client, 0, None, None, None))
