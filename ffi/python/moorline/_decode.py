"""From numbers and spans to fields: each field of an event says where it is found."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, Callable, Dict, Tuple, Type, TypeVar

from ._library import Raw, text
from .errors import status_name

T = TypeVar("T")

KINDS: Dict[int, Type[Any]] = {}
_READERS: Dict[Type[Any], Tuple[Callable[[Raw], Any], ...]] = {}


def kind(number: int) -> Callable[[Type[T]], Type[T]]:
    """Says which kind a class stands for."""

    def register(cls: Type[T]) -> Type[T]:
        KINDS[number] = cls
        return cls

    return register


def decode(raw: Raw, cls: "Type[Any]") -> Any:
    """One event or record as its class."""
    readers = _READERS.get(cls)
    if readers is None:
        readers = _READERS[cls] = tuple(one.metadata["read"] for one in fields(cls))
    return cls(*[read(raw) for read in readers])


def read(reader: Callable[[Raw], Any], **more: Any) -> Any:
    """A field that is made from the whole event."""
    return field(metadata={"read": reader}, **more)


def number(index: int, convert: Callable[[int], Any] = int) -> Any:
    """A field that is a number."""
    return read(lambda raw: convert(raw.numbers[index]))


def micros(index: int) -> Any:
    """A field in seconds that comes in microseconds."""
    return number(index, lambda value: value / 1e6)


def millis(index: int) -> Any:
    """A field in seconds that comes in milliseconds."""
    return number(index, lambda value: value / 1e3)


def word(index: int, words: Tuple[str, ...]) -> Any:
    """A field that is one of some words."""
    return number(index, lambda value: words[value] if value < len(words) else "unknown")


def span(index: int) -> Any:
    """A field that is text."""
    return read(lambda raw: text(raw.spans[index]))


def data(index: int) -> Any:
    """A field that is bytes."""
    return read(lambda raw: raw.spans[index])


def status() -> Any:
    """The name of the event's status."""
    return read(lambda raw: status_name(raw.status))
