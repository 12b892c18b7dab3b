"""Checks that the library is found and works on this machine, and says what to do if it does not."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import time
from importlib import metadata
from typing import Any, Callable, Coroutine, List, Tuple, TypeVar

from . import _abi, _library
from ._client import Client
from .errors import Error, LibraryError

T = TypeVar("T")

# A node with its peers stays far below; a process that shares a descriptor table with much else may not.
FEW_DESCRIPTORS = 256
FORKED_WITHIN = 0.010


class Unwell(Exception):
    """What is wrong, and what to do."""


def library() -> str:
    where = _library.path()
    source = "MOORLINE_LIBRARY" if os.environ.get("MOORLINE_LIBRARY") else "this package"
    try:
        _library.library()
    except LibraryError as error:
        raise Unwell(error.message) from None
    return f"{where}, {os.path.getsize(where) / 1e6:.1f} MB, from {source}"


def versions() -> str:
    span, abi = _abi.Span(), ctypes.c_uint32()
    _library.call("moorline_version", ctypes.byref(span))
    _library.call("moorline_abi_version", ctypes.byref(abi))
    native = ctypes.string_at(span.data, span.length).decode()
    try:
        package = metadata.version("moorline")
    except metadata.PackageNotFoundError:
        package = native
    if native != package:
        raise Unwell(f"the library is {native} and the package is {package}: install the two from one wheel")
    return f"{native}, interface {_library.describe(abi.value)}, Python {sys.version.split()[0]}"


def begins_and_ends() -> str:
    async def once() -> Tuple[float, float]:
        began = time.perf_counter()
        client = await Client().open()
        opened = time.perf_counter()
        await client.close()
        return opened - began, time.perf_counter() - opened

    opening, closing = _run(once)
    return f"opened in {opening * 1e3:.1f} ms, closed in {closing * 1e3:.1f} ms"


def node() -> str:
    async def once() -> str:
        async with Client() as client:
            async with client.node(listen="127.0.0.1:0", multicast=False) as made:
                return made.address

    try:
        return f"listened on {_run(once)} (UDP) and stopped"
    except Error as error:
        raise Unwell(f"{error}: does a firewall or sandbox forbid UDP on 127.0.0.1?") from None


def descriptors() -> str:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        used = len(os.listdir("/proc/self/fd"))
    except (ImportError, OSError):
        return "no limit known here"
    if limit != resource.RLIM_INFINITY and limit - used < FEW_DESCRIPTORS:
        raise Unwell(f"{used} of {limit} are in use: raise the limit, with `ulimit -n 4096` for instance")
    return f"{used} of {limit} in use"


def fork_guard() -> str:
    if not hasattr(os, "fork"):
        return "processes do not fork here"
    handle = ctypes.c_uint64()
    made = _library.options(_abi.InitOptions, abi_version=_abi.ABI_VERSION)
    _library.invoke("moorline_init", ctypes.byref(made), ctypes.byref(handle))
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        began = time.perf_counter()
        status = _library.library().moorline_cancel(handle, 0)
        took = time.perf_counter() - began
        os.write(writable, f"{status} {took}".encode())
        os._exit(0)
    os.close(writable)
    answer = os.read(readable, 100).decode().split()
    os.close(readable)
    os.waitpid(child, 0)
    _library.dispose(handle.value, 2000)
    if not answer or int(answer[0]) != _abi.E_FORKED:
        raise Unwell(f"a forked child was not told so, but {answer}: do not fork in this program, and report it please")
    took = float(answer[1])
    if took > FORKED_WITHIN:
        raise Unwell(f"a forked child was told so after {took * 1e3:.1f} ms only: is this machine overloaded?")
    return f"a forked child is told so, in {took * 1e3:.2f} ms"


CHECKS: List[Tuple[str, Callable[[], str]]] = [
    ("library", library),
    ("version", versions),
    ("begins and ends", begins_and_ends),
    ("node", node),
    ("descriptors", descriptors),
    ("fork", fork_guard),
]


def run() -> int:
    """Prints a line for each check. 0 if all is well, 1 if something is not."""
    unwell = 0
    for name, check in CHECKS:
        try:
            print(f"ok   {name}: {check()}")
        except (Unwell, Error, OSError, asyncio.TimeoutError) as error:
            unwell += 1
            print(f"BAD  {name}: {error or type(error).__name__}")
            if name == "library":
                print("     nothing else can be checked without it")
                break
    print("all is well" if not unwell else f"{unwell} of {len(CHECKS)} checks found something")
    return 1 if unwell else 0


def _run(check: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(asyncio.wait_for(check(), 20))
