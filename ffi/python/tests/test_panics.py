"""Panics are contained: what was under way is cancelled, then it is told, then the sessions concerned end; others do not notice."""

import pytest

ORDER = """
async def main():
    order = []
    async with moorline.Client() as client, moorline.Client() as other:
        node = await client.node(**LOCAL).start()
        room = await client.room(sys.argv[1], "panic", node=node, name="hurt").join()
        bystander = await other.room(sys.argv[1], "panic", name="bystander").join()
        whole = {"client": 0, "node": node._handle, "room": room._handle}[sys.argv[2]] or client._handle
        pending = [endless_request(client, handle) for handle in (whole, room._handle)]
        for request in pending:
            request.add_done_callback(lambda done: order.append(type(done.exception()).__name__))
        async def follow(events, name):
            try:
                async for event in events:
                    if isinstance(event, (moorline.Panic, moorline.Disconnected, moorline.NodeStopped)):
                        order.append(f"{name} {type(event).__name__} {getattr(event, 'status', '')}".strip())
            except moorline.DefectError:
                order.append(f"{name} raises")
        listening = [asyncio.ensure_future(follow(one, name)) for one, name in ((room, "room"), (node, "node"))]
        make_panic(client, whole, int(sys.argv[3]))
        await asyncio.wait(listening[:1], timeout=20)
        # In reaction to it new things work, in the same client and in others.
        async with client.room(sys.argv[1], "panic") as again:
            again.on_call("still", lambda call: b"yes")
            if await bystander.call(again.participant, "still") != b"yes":
                raise SystemExit("nobody answers")
        await bystander.leave()
        if not (await bystander.ended()).ok:
            raise SystemExit("the bystander was hurt")
    print("; ".join(order))
run(main())
"""


@pytest.mark.parametrize("where", [2, 3])
@pytest.mark.parametrize("scope", ["node", "room"])
def test_a_panic_cancels_then_is_told_then_ends_the_sessions(script, server, scope, where):
    out = script(ORDER, server, scope, where, hooks=True).strip().split("; ")
    assert out.count("CancelledError") == 2, out
    told = out.index(f"{scope} Panic")
    ended = out.index("room Disconnected panic")
    assert max(at for at, what in enumerate(out) if what == "CancelledError") < told < ended < out.index("room raises")


def test_a_panic_of_the_client_itself_ends_all_its_rooms(script, server):
    out = script(ORDER, server, "client", 2, hooks=True).strip().split("; ")
    assert out.count("CancelledError") == 2 and "room Disconnected panic" in out and "room raises" in out, out


def test_a_panic_in_a_function_is_an_error_and_the_process_lives(script):
    script(
        """
import logging
logging.basicConfig(level=logging.ERROR, filename="log")
async def main():
    async with moorline.Client(log_level="error") as client:
        async with client.node(**LOCAL) as node:
            if make_panic(client, node._handle, PANIC_HERE) != 900:
                raise SystemExit("it was not told")
            panic = await first(client, moorline.Panic)
            if not panic.task or not panic.message:
                raise SystemExit(f"it says nothing: {panic}")
        async with client.node(**LOCAL):
            pass
run(main())
from pathlib import Path
if "contained a panic in " not in Path("log").read_text():
    raise SystemExit("nothing in the log: " + Path("log").read_text())
""",
        hooks=True,
    )


def test_a_panic_in_a_finalizer_hurts_nobody(script):
    script(
        """
async def main():
    async with moorline.Client() as client:
        node = await client.node(**LOCAL).start()
        make_panic(client, node._handle, PANIC_DROP)
        del node
        gc.collect()
        await first(client, moorline.Panic)
        async with client.node(**LOCAL):
            pass
run(main())
""",
        hooks=True,
    )


def test_whoever_reads_the_panic_finds_everything_cancelled(script):
    """Also a reader that was not waiting when it came: tasks that wait for tasks that wait for requests are done by then."""
    script(
        """
async def main():
    async with moorline.Client() as client:
        async def nested(request):
            try:
                await asyncio.wait_for(asyncio.shield(request), 20)
            except moorline.CancelledError:
                return
        waiting = [asyncio.ensure_future(nested(endless_request(client, client._handle))) for _ in range(50)]
        await asyncio.sleep(0.01)
        make_panic(client, client._handle, PANIC_TASK)
        while True:
            event = client._stream.now()
            if isinstance(event, moorline.Panic):
                break
            await asyncio.sleep(0)
        if not all(task.done() for task in waiting):
            raise SystemExit("somebody still waits")
run(main())
""",
        hooks=True,
    )
