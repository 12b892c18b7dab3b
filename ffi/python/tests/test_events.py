"""Events are bounded: who does not read is told, and the last one always comes."""

import asyncio
import dataclasses

import pytest

import moorline
from helpers import live
from moorline import _abi, _decode, _library
from moorline._stream import Stream


def raw(kind, status=0, numbers=(), spans=()):
    numbers = (*numbers, *[0] * (6 - len(numbers)))
    spans = (*spans, *[b""] * (5 - len(spans)))
    return _library.Raw(1, kind, status, 2, 3, 4, numbers, spans)


def stream(capacity):
    return Stream(lambda: None, capacity)


@live
async def test_a_reader_that_is_behind_is_told_how_far_and_gets_the_newest():
    queue = stream(3)
    for index in range(10):
        queue._push(moorline.UploadStarted(index, "", "", ""))
    queue._push(moorline.Disconnected(10, "closed", _abi.E_CLOSED, ""))
    queue._end()
    lagged, *rest = [event async for event in queue]
    assert (type(lagged), lagged.count) == (moorline.Lagged, 8)
    assert [event.sequence for event in rest] == [8, 9, 10]


@live
async def test_what_a_dropped_lagged_said_is_not_forgotten():
    queue = stream(1)
    queue._push(moorline.Lagged(1, 41))
    queue._push(moorline.UploadStarted(2, "", "", ""))
    assert (await queue.next()).count == 41
    assert (await queue.next()).sequence == 2


@live
async def test_only_the_newest_state_waits():
    queue = stream(100)
    for done in range(50):
        queue._push(moorline.DownloadProgress(done, done, 50, 0, 0))
    queue._push(moorline.DownloadAlone(50))
    assert (await queue.next()).done == 49
    assert isinstance(await queue.next(), moorline.DownloadAlone)
    with pytest.raises(moorline.TimeoutError):
        await queue.next(timeout=0)


@live
async def test_several_readers_of_one_queue_each_get_something_else():
    queue = stream(10)
    readers = [asyncio.ensure_future(queue.next()) for _ in range(3)]
    await asyncio.sleep(0)
    for index in range(2):
        queue._push(moorline.UploadStarted(index, "", "", ""))
    queue._end()
    seen = await asyncio.gather(*readers)
    assert [event and event.sequence for event in seen] == [0, 1, None]


@live
async def test_an_end_that_is_an_error_comes_after_the_events_every_time():
    queue = stream(10)
    queue._push(moorline.UploadStarted(1, "", "", ""))
    queue._end(moorline.RoomError("gone"))
    assert (await queue.next()).sequence == 1
    for _ in range(2):
        with pytest.raises(moorline.RoomError):
            await queue.next()


def test_a_library_that_floods_is_bounded_on_its_side_as_well(script):
    """500,000 events come while nobody takes any: memory stays, the count is right, the last event is there."""
    script(
        """
async def main():
    client = await moorline.Client(event_capacity=1000, queue=100000).open()
    node = await client.node(**LOCAL).start()
    loop = asyncio.get_running_loop()
    client._pump.stop()
    emit(client, moorline._abi.EVENT_UPLOAD_STARTED, 500_000, 100)
    await client.close()
    seen = [event async for event in client]
    counts = [event.count for event in seen if isinstance(event, moorline.Lagged)]
    kept = [event for event in seen if isinstance(event, moorline.UploadStarted)]
    if sum(counts) + len(kept) != 500_000 or len(kept) > 1000:
        raise SystemExit(f"{sum(counts)} dropped and {len(kept)} kept")
    if not isinstance(seen[-1], moorline.ClientClosed):
        raise SystemExit(f"the last one is {seen[-1]}")
    of_node = [event async for event in node]
    if not isinstance(of_node[-1], moorline.NodeStopped):
        raise SystemExit("the node's last event is missing")
    # Whose events were dropped is not known: everyone is told.
    told = [event.count for event in of_node if isinstance(event, moorline.Lagged)]
    if not set(counts) <= set(told):
        raise SystemExit(f"{counts} were told of as {told}")
run(main())
""",
        hooks=True,
    )


def test_a_consumer_that_does_not_read_costs_its_own_bound_and_no_more(script):
    script(
        """
async def main():
    async with moorline.Client(queue=10) as client:
        async with client.node(**LOCAL) as node:
            emit(client, moorline._abi.EVENT_UPLOAD_STARTED, 3000, 100)
            await until(lambda: client._stream._missed >= 2990)
            event = await client._stream.next()
            if (event.count, len(client._stream._events)) != (2990, 10):
                raise SystemExit(f"{event} and {len(client._stream._events)}")
run(main())
""",
        hooks=True,
    )


def test_events_are_freed(script):
    """400 MB of events pass through; without `moorline_free` they would stay."""
    script(
        """
import resource
async def main():
    async with moorline.Client(queue=10) as client:
        for round in range(100):
            emit(client, moorline._abi.EVENT_UPLOAD_STARTED, 2000, 2000)
            await until(lambda: client._stream._missed >= 1990 * (round + 1))
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 200_000:
        raise SystemExit(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss} KB")
run(main())
""",
        hooks=True,
    )


def test_every_event_of_the_interface_has_a_class_with_names():
    handled = {_abi.EVENT_LOG, _abi.EVENT_REQUEST_DONE}
    assert {number for number in _abi.EVENT_NAMES if number not in handled} == set(_decode.KINDS)
    for cls in _decode.KINDS.values():
        assert cls.__name__ in moorline.events.__all__ and cls.__doc__
        assert all("read" in field.metadata for field in dataclasses.fields(cls))


def test_numbers_and_spans_come_out_under_their_names():
    up = moorline.events.of(raw(_abi.EVENT_PEER_UP, 0, (7, 1500, 1), (b"id", b"n\xc3\xa4me", b"1.2.3.4:5", b"\xff")))
    assert (up.sequence, up.items, up.round_trip, up.shares, up.peer) == (4, 7, 0.0015, True, "id")
    assert (up.name, up.address, up.program) == ("n\u00e4me", "1.2.3.4:5", "\ufffd")
    left = moorline.events.of(raw(_abi.EVENT_ROOM_PARTICIPANT_LEFT, 0, (9, 2), (b"i", b"n", b"m")))
    assert (left.participant, left.reason) == (9, "timed_out")
    state = moorline.events.of(raw(_abi.EVENT_ROOM_STATE, 0, (2, 99), (b"why",)))
    assert (state.before, state.state, state.reason) == ("live", "unknown", "why")
    ended = moorline.events.of(raw(_abi.EVENT_DOWNLOAD_ENDED, _abi.E_NO_SPACE, (1, 2, 3, 1500), (b"item", b"full")))
    assert (ended.status, ended.path, ended.reason, ended.duration) == ("no_space", "", "full", 1.5)
    assert isinstance(ended.error(), moorline.MachineError)


def test_an_event_of_a_newer_library_is_handed_on_as_it_is():
    event = moorline.events.of(raw(4711, _abi.E_IO, (1,), (b"x",)))
    assert (type(event), event.kind, event.status, event.numbers[0]) == (moorline.UnknownEvent, 4711, "io", 1)
