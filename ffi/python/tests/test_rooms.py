"""Rooms: messages, values, calls, and what is told of them."""

import asyncio
import contextlib

import pytest

import moorline
from helpers import LOCAL, first, live, until


@contextlib.asynccontextmanager
async def pair(server, name):
    """Two participants of a room; the first knows that the second is there."""
    async with moorline.Client() as client:
        async with client.room(server, name, name="ada") as ada, client.room(server, name, name="bob") as bob:
            joined = await first(ada, moorline.ParticipantJoined)
            assert (joined.participant, joined.name) == (bob.participant, "bob")
            yield ada, bob


@live
async def test_messages_come_in_order_to_whom_they_are_sent(server, room_name):
    async with pair(server, room_name) as (ada, bob):
        for index in range(20):
            await ada.send(str(index), topic="count")
        await ada.send(b"\x00\xff", delivery="ephemeral", to=[bob.participant])
        seen = [await first(bob, moorline.Message) for _ in range(21)]
    assert [event.payload for event in seen[:20]] == [str(index).encode() for index in range(20)]
    assert {(event.participant, event.topic, event.reliable) for event in seen[:20]} == {(ada.participant, "count", True)}
    assert (seen[20].payload, seen[20].reliable) == (b"\x00\xff", False)


@live
async def test_the_newest_value_is_known_to_whoever_comes_later(server, room_name):
    async with pair(server, room_name) as (ada, bob):
        await ada.send(b"1", delivery="latest", topic="score")
        await ada.send(b"2", delivery="latest", topic="score")
        async with ada._client.room(server, room_name, name="cyd") as cyd:
            await until(lambda: any(one.values.get("score") == b"2" for one in cyd.participants()))
        while (await first(bob, moorline.ValueChanged)).value != b"2":
            pass


@live
async def test_what_somebody_says_of_itself_is_seen(server, room_name):
    async with pair(server, room_name) as (ada, bob):
        await bob.update(name="Bob", metadata="m", attributes={"colour": "red"})
        updated = await first(ada, moorline.ParticipantUpdated)
        assert (updated.participant, updated.name, updated.metadata) == (bob.participant, "Bob", "m")
        mine = {one.participant: one for one in ada.participants()}
        assert mine[bob.participant].attributes == {"colour": b"red"}
        assert mine[ada.participant].name == "ada"
        assert (ada.info().state, ada.info().participants) == ("live", 2)
        bob.hint("retry_now")
        await bob.leave()
        left = await first(ada, moorline.ParticipantLeft)
        assert (left.participant, left.reason) == (bob.participant, "left")


@live
async def test_handlers_answer_calls(server, room_name):
    async with pair(server, room_name) as (ada, bob):

        async def later(call):
            await asyncio.sleep(0)
            return call.payload[::-1]

        def refuse(call):
            raise moorline.Refusal("not today")

        bob.on_call("plain", lambda call: f"{call.method} from {call.participant}")
        bob.on_call("later", later)
        bob.on_call("nothing", lambda call: None)
        bob.on_call("refuse", refuse)
        assert await ada.call(bob.participant, "plain") == f"plain from {ada.participant}".encode()
        assert await ada.call(bob.participant, "later", b"abc", timeout=5) == b"cba"
        assert await ada.call(bob.participant, "nothing") == b""
        with pytest.raises(moorline.RoomError) as error:
            await ada.call(bob.participant, "refuse")
        assert error.value.name == "call_failed" and "not today" in error.value.message
        with pytest.raises(moorline.RoomError) as error:
            await ada.call(bob.participant, "unheard of")
        assert error.value.name == "no_such_method"
        with pytest.raises(moorline.RoomError) as error:
            await ada.call(4711, "plain")
        assert error.value.name == "no_such_participant"


@live
async def test_a_handler_that_fails_is_told_here_and_refused_there(server, room_name):
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    async with pair(server, room_name) as (ada, bob):
        bob.on_call("divide", lambda call: 1 // 0)
        with pytest.raises(moorline.RoomError) as error:
            await ada.call(bob.participant, "divide")
    assert "division" not in error.value.message
    assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


@live
async def test_calls_come_as_events_where_there_are_no_handlers(server, room_name):
    async with pair(server, room_name) as (ada, bob):
        elsewhere = bob.events()
        asking = asyncio.ensure_future(ada.call(bob.participant, "add", b"2"))
        call = await first(bob, moorline.Call)
        assert (call.method, call.payload, call.participant, call.timeout) == ("add", b"2", ada.participant, 10.0)
        await call.reply(b"3")
        assert await asking == b"3"
        with pytest.raises(moorline.ClosedError):
            await call.reply(b"4")
        asking = asyncio.ensure_future(ada.call(bob.participant, "add", b"2"))
        (await first(bob, moorline.Call)).reject(reason="busy")
        with pytest.raises(moorline.RoomError) as error:
            await asking
        assert error.value.name == "peer_busy"
    # One consumer is to answer, so one gets it.
    assert not [event async for event in elsewhere if isinstance(event, moorline.Call)]


@live
async def test_a_call_that_nobody_answers_ends_in_time(server, room_name):
    async with pair(server, room_name) as (ada, bob):
        with pytest.raises(moorline.TimeoutError) as error:
            await ada.call(bob.participant, "silence", timeout=0.1)
    assert isinstance(error.value, TimeoutError) and isinstance(error.value, moorline.StateError)


@live
async def test_calls_that_nobody_reads_are_refused_as_busy(server, room_name):
    async with moorline.Client(queue=2) as client:
        async with client.room(server, room_name) as ada, client.room(server, room_name) as bob:
            asking = [asyncio.ensure_future(ada.call(bob.participant, "m", timeout=20)) for _ in range(3)]
            done, _ = await asyncio.wait(asking, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert [task.exception().name for task in done] == ["peer_busy"]
            assert isinstance(await bob.next(), moorline.Lagged)
            for task in asking:
                task.cancel()


@live
async def test_a_room_that_is_not_there_is_an_error_and_joining_can_be_called_off():
    async with moorline.Client() as client:
        with pytest.raises(moorline.RoomError) as error:
            await client.room("ws://127.0.0.1:9", "r", deadline=0.2).join()
        assert error.value.name == "unreachable"
        joining = asyncio.ensure_future(client.room("ws://127.0.0.1:9", "r").join())
        await asyncio.sleep(0.05)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining


@live
async def test_a_room_whose_server_dies_raises_for_whoever_reads_it(room_name):
    from helpers import room_server

    async with moorline.Client() as client:
        with room_server() as url:
            room = await client.room(url, room_name, deadline=0.5).join()
        seen = []
        with pytest.raises(moorline.RoomError):
            async for event in room:
                seen.append(event)
    kinds = [type(event) for event in seen]
    assert moorline.ConnectionLost in kinds and kinds[-1] is moorline.Disconnected
    assert seen[-1].status == "unreachable" and not seen[-1].ok


@live
async def test_nodes_in_a_room_find_each_other(server, room_name, folder, tmp_path):
    async with moorline.Client() as client:
        async with client.node(share=[folder], **LOCAL) as giver, client.node(**LOCAL) as taker:
            async with client.room(server, room_name, node=giver), client.room(server, room_name, node=taker):
                done = await taker.download("photos", tmp_path / "in", wait=20)
    assert done.ok and done.item


@live
async def test_more_consumers_each_see_everything_and_leaving_ends_them(server, room_name):
    async with pair(server, room_name) as (ada, bob):
        more = [bob.events(), bob.events(capacity=1)]
        await ada.send(b"a")
        await ada.send(b"b")
        await first(bob, moorline.Message)
        await first(bob, moorline.Message)
    assert [event.payload async for event in more[0] if isinstance(event, moorline.Message)] == [b"a", b"b"]
    lagged, last = [event async for event in more[1]]
    assert isinstance(lagged, moorline.Lagged) and lagged.count >= 2
    assert isinstance(last, moorline.Disconnected) and last.ok


@live
async def test_arguments_that_make_no_sense_are_misuse(server, room_name):
    async with pair(server, room_name) as (ada, _):
        for wrong in (
            lambda: ada.send(b"", delivery="certified"),
            lambda: ada.send(b"", ttl=-1),
            lambda: ada.call(1, "m", timeout=float("nan")),
            lambda: ada.call(1, "\udcff"),
        ):
            with pytest.raises(moorline.MisuseError):
                await wrong()
        with pytest.raises(moorline.MisuseError):
            ada.hint("perhaps")
        with pytest.raises(moorline.LimitError):
            await ada.send(b"x" * (64 << 20))
