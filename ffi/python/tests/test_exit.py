"""A process ends well whatever is still open, and what nobody closes is closed."""

import pytest

OPEN_ALL = """
async def open_all(url, folder):
    client = await moorline.Client().open()
    node = await client.node(share=[folder], **LOCAL).start()
    room = await client.room(url, "exit", node=node).join()
    download = node.download("never", folder, wait=3600)
    call = asyncio.ensure_future(room.call(4712, "m", timeout=3600))
    return client, node, room, download, call
"""


@pytest.mark.parametrize("flags", [(), ("-O",), ("-OO",)])
def test_everything_is_open_at_exit(script, server, folder, flags):
    out = script(
        OPEN_ALL
        + """
async def main():
    global kept
    kept = await open_all(*sys.argv[1:])
    kept[4].add_done_callback(lambda call: call.cancelled() or call.exception())
import atexit
began = time.monotonic()
run(main())
import moorline._exit
def report():
    print("closed", len(moorline._exit._open), time.monotonic() - began < 4, settles(threads, 1))
# What is registered first runs last.
atexit._clear(); atexit.register(report); atexit.register(moorline._exit._at_exit)
""",
        server, folder, flags=flags, seconds=20,
    )
    assert out.split() == ["closed", "0", "True", "True"]


def test_the_peer_is_told_goodbye_at_exit(script, server, folder):
    out = script(
        OPEN_ALL
        + """
import subprocess
if len(sys.argv) > 3:
    async def other():
        global kept
        kept = await moorline.Client().open()
        kept = kept, await kept.node(peers=[sys.argv[3]], **LOCAL).start()
        await first(kept[1], moorline.PeerUp)
    run(other())
    sys.exit()
async def main():
    async with moorline.Client() as client, client.node(**LOCAL) as node:
        child = await asyncio.create_subprocess_exec(sys.executable, *sys.argv, node.address)
        down = await first(node, moorline.PeerDown)
        print("goodbye", down.said_goodbye, await child.wait())
run(main())
""",
        server, folder,
    )
    assert out.split() == ["goodbye", "True", "0"]


def test_the_event_loop_closes_first(script, server, folder):
    script(
        OPEN_ALL
        + """
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(open_all(*sys.argv[1:]))
kept[4].cancel()
loop.run_until_complete(asyncio.sleep(0))
loop.close()
client, node, room, *_ = kept
async def elsewhere():
    for wrong in (room.send(b""), node.add_peer("127.0.0.1:9"), client.close()):
        try:
            await wrong
        except moorline.MisuseError:
            continue
        raise SystemExit("another loop may use it")
run(elsewhere())
client.dispose()
client.dispose()
if not settles(threads, 1):
    raise SystemExit(f"{threads()} threads are left")
del room, node, kept
gc.collect()
""",
        server, folder,
    )


def test_what_is_thrown_away_is_closed_by_whoever_comes_next(script):
    script(
        """
async def main():
    client = await moorline.Client().open()
    await client.node(**LOCAL).start()
before = threads()
for _ in range(3):
    run(main())
    gc.collect()
if not settles(threads, before + 8):
    raise SystemExit(f"{threads()} threads after {before}")
async def next_one():
    async with moorline.Client():
        pass
run(next_one())
import moorline._exit
if moorline._exit._open or moorline._exit.has_orphans():
    raise SystemExit("something is left")
"""
    )


def test_finalizers_end_sessions_and_hurt_nobody(script, server, folder):
    """Garbage collection in other threads, while the loop is busy."""
    script(
        """
async def main():
    async with moorline.Client() as client, client.node(share=[sys.argv[2]], **LOCAL) as node:
        async with client.room(sys.argv[1], "gc") as room:
            stop = threading.Event()
            def collect():
                while not stop.wait(0.001):
                    gc.collect()
            collector = threading.Thread(target=collect)
            collector.start()
            for index in range(50):
                thrown = node.download("never", sys.argv[2], wait=3600)
                thrown.ring = [thrown]
                handle = thrown._handle
                del thrown
                if index % 10 == 0:
                    lost = await client.room(sys.argv[1], "gc", name="lost").join()
                    lost.ring = [lost]
                    del lost
                await room.send(b"x", delivery="ephemeral")
            await until(lambda: not any(type(one) is moorline.Download for one in list(client._sessions.values())))
            await until(lambda: raises(moorline.MisuseError, moorline._library.call, "moorline_kind",
                                       client._handle, handle, ctypes.byref(ctypes.c_uint32())))
            # Those that were thrown away have left.
            await until(lambda: len(room.participants()) == 1)
            stop.set()
            collector.join()
import ctypes
import moorline._library
run(main())
""",
        server, folder,
    )


def test_a_node_that_is_dropped_is_dropped_once(script):
    script(
        """
async def main():
    async with moorline.Client() as client:
        async with client.node(**LOCAL) as node:
            pass
        node._drop()
        node._finalizer()
        await node.stop()
        del node
        gc.collect()
run(main())
"""
    )


def test_clients_in_threads_each_have_their_own_loop(script):
    script(
        """
def live():
    async def main():
        async with moorline.Client() as client, client.node(**LOCAL) as node:
            await first(node, moorline.ServiceChanged)
    run(main())
workers = [threading.Thread(target=live) for _ in range(6)]
[worker.start() for worker in workers]
[worker.join(30) for worker in workers]
if any(worker.is_alive() for worker in workers) or not settles(threads, 1):
    raise SystemExit("a thread hangs")
"""
    )


def test_many_clients_one_after_the_other_leave_nothing(script):
    script(
        """
async def once():
    async with moorline.Client() as client, client.node(**LOCAL):
        pass
async def main():
    await once()
    gc.collect()
    before = threads(), descriptors()
    for _ in range(30):
        await once()
    gc.collect()
    if not settles(threads, before[0]) or not settles(descriptors, before[1]):
        raise SystemExit(f"{before} has become {(threads(), descriptors())}")
run(main())
"""
    )


def test_an_interrupted_program_ends(script, server, folder):
    script(
        OPEN_ALL
        + """
async def main():
    kept = await open_all(*sys.argv[1:])
    kept[4].add_done_callback(lambda call: call.cancelled() or call.exception())
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    async for event in kept[2]:
        pass
try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(7)
""",
        server, folder, status=7, seconds=20,
    )


def test_a_loop_without_readers_is_served_by_a_thread(script, server, folder):
    """As on Windows, whose event loop cannot watch a descriptor."""
    script(
        """
class Blind(asyncio.SelectorEventLoop):
    def add_reader(self, fd, callback, *args):
        raise NotImplementedError
async def main():
    async with moorline.Client() as client:
        if client._pump.by_descriptor:
            raise SystemExit("it can watch after all")
        async with client.node(share=[sys.argv[2]], **LOCAL) as giver, client.node(peers=[giver.address], **LOCAL) as taker:
            done = await taker.download("photos", "in", wait=20)
            if digest(done.path) != digest(sys.argv[2]):
                raise SystemExit("another content")
        async with client.room(sys.argv[1], "blind") as ada, client.room(sys.argv[1], "blind") as bob:
            bob.on_call("echo", lambda call: call.payload)
            if await ada.call(bob.participant, "echo", b"x") != b"x":
                raise SystemExit("another answer")
loop = Blind()
loop.run_until_complete(asyncio.wait_for(main(), 40))
loop.close()
if not settles(threads, 1):
    raise SystemExit(f"{threads()} threads are left")
""",
        server, folder,
    )
