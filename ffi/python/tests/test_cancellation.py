"""Cancelling a task cancels what it asked the library for."""

import asyncio
import ctypes

import pytest

import moorline
from helpers import LOCAL, live, until
from moorline import _library


def is_under_way(client, request):
    kind = ctypes.c_uint32()
    return _library.library().moorline_kind(client._handle, request, ctypes.byref(kind)) == 0


@live
async def test_cancelling_a_call_cancels_the_native_request(server, room_name):
    async with moorline.Client() as client:
        async with client.room(server, room_name) as ada, client.room(server, room_name) as bob:
            asking = asyncio.ensure_future(ada.call(bob.participant, "silence", timeout=3600))
            await until(lambda: client._pending)
            (request,) = client._pending
            assert is_under_way(client, request)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert not is_under_way(client, request)
            await until(lambda: not client._pending)


@live
async def test_a_time_out_of_asyncio_cancels_it_as_well(server, room_name):
    async with moorline.Client() as client:
        async with client.room(server, room_name) as ada, client.room(server, room_name) as bob:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(ada.call(bob.participant, "silence", timeout=3600), 0.05)
            await until(lambda: not client._pending)
            bob.on_call("echo", lambda call: call.payload)
            assert await ada.call(bob.participant, "echo", b"still here") == b"still here"


@live
async def test_cancelling_who_awaits_a_download_calls_it_off(tmp_path):
    async with moorline.Client() as client, client.node(**LOCAL) as node:
        download = node.download("never", tmp_path, wait=3600)

        async def wait():
            return await download

        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        last = [event async for event in download][-1]
        assert (type(last), last.status) == (moorline.DownloadEnded, "cancelled")


@live
async def test_a_download_that_is_called_off_ends_quietly_for_readers_and_raises_for_who_wants_it(tmp_path):
    async with moorline.Client() as client, client.node(**LOCAL) as node:
        download = node.download("never", tmp_path, wait=3600)
        download.cancel()
        assert [event.status async for event in download] == ["cancelled"]
        with pytest.raises(moorline.CancelledError):
            await download
        async with node.download("never", tmp_path, wait=3600) as unfinished:
            pass
        assert (await unfinished.ended()).status == "cancelled"


@live
async def test_giving_up_joining_leaves_nothing_behind(server, room_name):
    async with moorline.Client() as client:
        room = client.room("ws://127.0.0.1:9", room_name, deadline=None)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(room.join(), 0.05)
        assert not is_under_way(client, room._handle)
        last = [event async for event in room][-1]
        assert isinstance(last, moorline.Disconnected)


@live
async def test_a_cancelled_close_goes_on(tmp_path):
    client = await moorline.Client().open()
    await client.node(**LOCAL).start()
    closing = asyncio.ensure_future(client.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await client.close()
    assert client._state == "closed"


@live
async def test_a_time_out_of_reading_loses_no_event(server, room_name):
    async with moorline.Client() as client:
        async with client.room(server, room_name) as ada, client.room(server, room_name) as bob:
            with pytest.raises(moorline.TimeoutError):
                while True:
                    await bob.next(timeout=0.05)
            sending = asyncio.ensure_future(ada.send(b"x"))
            seen = 0
            while not seen:
                try:
                    seen += isinstance(await bob.next(timeout=0.0001), moorline.Message)
                except moorline.TimeoutError:
                    pass
            await sending
