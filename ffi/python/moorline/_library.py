"""The native library: where it is, how it is called, and how its memory becomes Python's.

No lock is taken here, so that none can be held in a forked child: what is loaded twice by two threads is the same library.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import Any, Iterable, List, NamedTuple, Optional, Tuple

from . import _abi
from .errors import Error, LibraryError, failure, status_name

_FILE = {"darwin": "libmoorline.dylib", "win32": "moorline.dll"}.get(sys.platform, "libmoorline.so")
_EVENT = struct.Struct("@IiQQQ6Q" + "PQ" * 5)
_loaded: Optional[ctypes.CDLL] = None


class Raw(NamedTuple):
    """An event or record as it crossed the boundary."""

    client: int
    kind: int
    status: int
    handle: int
    request: int
    sequence: int
    numbers: Tuple[int, ...]
    spans: Tuple[bytes, ...]


def path() -> str:
    """Where the library is looked for: `MOORLINE_LIBRARY`, or else beside this file."""
    return os.environ.get("MOORLINE_LIBRARY") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "_native", _FILE)


def library() -> ctypes.CDLL:
    """The library, loaded at the first use."""
    global _loaded
    if _loaded is None:
        _loaded = _load(path())
    return _loaded


def _load(where: str) -> ctypes.CDLL:
    if not os.path.exists(where):
        raise LibraryError(f"there is no {where}: install a wheel for this platform, or set MOORLINE_LIBRARY to the library")
    try:
        found = ctypes.CDLL(where)
        _abi.bind(found)
    except (OSError, AttributeError) as error:
        raise LibraryError(f"{where} cannot be used: {error}. Install the package again, or mend MOORLINE_LIBRARY") from error
    version = ctypes.c_uint32()
    status = found.moorline_abi_version(ctypes.byref(version))
    # In a forked child it answers `forked`: `moorline_init` will compare the versions.
    if status == 0 and not _fits(version.value):
        raise LibraryError(
            f"{where} speaks version {describe(version.value)} of the interface, and this package needs "
            f"{describe(_abi.ABI_VERSION)}: use the library that came with the package"
        )
    if _EVENT.size != ctypes.sizeof(_abi.Event):
        raise LibraryError(f"events have {ctypes.sizeof(_abi.Event)} bytes, and this package knows them with {_EVENT.size}")
    return found


def _fits(version: int) -> bool:
    ours = _abi.ABI_VERSION
    return version >> 16 == ours >> 16 and version & 0xFFFF >= ours & 0xFFFF


def describe(version: int) -> str:
    """A version of the interface for people."""
    return f"{version >> 16}.{version & 0xFFFF}"


def invoke(name: str, *args: Any) -> None:
    """Calls a function whose last parameter is `moorline_error*`, and raises what it says."""
    error = _abi.Error()
    error.struct_size = ctypes.sizeof(_abi.Error)
    status = getattr(library(), name)(*args, ctypes.byref(error))
    if status:
        said = bytes(error.message)[: error.length] if error.status == status else b""
        raise failure(status, said.decode("utf-8", "replace"))


def call(name: str, *args: Any) -> None:
    """Calls a function that says nothing but a status, and raises that."""
    status = getattr(library(), name)(*args)
    if status:
        raise failure(status, f"{name} answered {status_name(status)}")


def quiet(name: str, *args: Any) -> None:
    """Calls a function for which every outcome is fine: in finalizers, where nobody could hear it."""
    try:
        getattr(library(), name)(*args)
    except (Error, TypeError, AttributeError):  # The library is gone, or the interpreter takes its modules apart.
        pass


def options(kind: Any, **values: Any) -> Any:
    """An options struct. Texts and bytes become spans, lists of texts become arrays of spans, and what is pointed to lives as
    long as the struct."""
    made = kind()
    made.struct_size = ctypes.sizeof(kind)
    made.kept = []
    for name, value in values.items():
        if not hasattr(kind, name):  # ctypes would take it, and do nothing with it.
            raise LibraryError(f"{kind.__name__} has no {name}: the package does not fit together, install it again")
        if isinstance(value, (str, bytes)):
            value = _span(value, made.kept)
        elif isinstance(value, list):
            value = (_abi.Span * len(value))(*[_span(one, made.kept) for one in value])
            made.kept.append(value)
            value = ctypes.cast(value, ctypes.POINTER(_abi.Span))
        setattr(made, name, value)
    return made


def _span(value: "str | bytes", kept: List[Any]) -> Any:
    data = ctypes.c_char_p(encode(value))
    kept.append(data)
    return _abi.Span(ctypes.cast(data, ctypes.c_void_p), len(encode(value)))


def encode(value: "str | bytes") -> bytes:
    """UTF-8. Names of files that are not UTF-8 come out as they are, for the library to refuse."""
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")


def text(value: bytes) -> str:
    """Text that the library handed out."""
    return value.decode("utf-8", "replace")


def milliseconds(seconds: Optional[float]) -> int:
    """Seconds as the library takes them: `None` and infinity are for ever, and what is not 0 does not become 0."""
    if seconds is None or seconds >= _abi.FOREVER / 1000:
        return int(_abi.FOREVER)
    if not seconds >= 0:
        raise failure(_abi.E_INVALID_ARGUMENT, f"a time cannot be {seconds} seconds")
    return max(int(seconds * 1000), 1) if seconds else 0


def take(client: int, capacity: int, timeout_ms: int) -> List[Raw]:
    """Events of a client, by `moorline_events_poll`."""
    return snapshot("moorline_events_poll", client, capacity, timeout_ms)


def snapshot(name: str, client: int, *args: Any) -> List[Raw]:
    """What a function hands out as a block of events."""
    block, count = ctypes.c_void_p(), ctypes.c_uint32()
    call(name, client, *args, _out(block), ctypes.byref(count))
    return unpack(client, block, count)


def dispose(client: int, deadline_ms: int) -> Tuple[List[Raw], Optional[Error]]:
    """Ends a client. Answers with the events that nobody took, and with what was not as it should be."""
    block, count, error = ctypes.c_void_p(), ctypes.c_uint32(), None
    try:
        invoke("moorline_dispose", client, deadline_ms, _out(block), ctypes.byref(count))
    except Error as what:
        error = what
    return unpack(client, block, count), error


def _out(block: ctypes.c_void_p) -> Any:
    return ctypes.cast(ctypes.byref(block), ctypes.POINTER(ctypes.POINTER(_abi.Event)))


def unpack(client: int, block: ctypes.c_void_p, count: ctypes.c_uint32) -> List[Raw]:
    """Copies a block of events, and frees it."""
    if not block.value:
        return []
    try:
        rows = _EVENT.iter_unpack(ctypes.string_at(block.value, _EVENT.size * count.value))
        return [Raw(client, row[0], row[1], row[2], row[3], row[4], row[5:11], tuple(_spans(row[11:]))) for row in rows]
    finally:
        quiet("moorline_free", block)


def _spans(flat: Tuple[int, ...]) -> Iterable[bytes]:
    for index in range(0, len(flat), 2):
        yield ctypes.string_at(flat[index], flat[index + 1]) if flat[index + 1] else b""
