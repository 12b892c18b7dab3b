"""A fork: the child is told so, nothing of the parent's is touched, and the child may begin afresh."""

import pytest

# What a program has open when it forks.
OPEN = """
import multiprocessing, subprocess
url, folder = sys.argv[1:3]
async def opened():
    client = await moorline.Client().open()
    node = await client.node(share=[folder], **LOCAL).start()
    room = await client.room(url, "fork", node=node, name="parent").join()
    return client, node, room
def everything_is_forked(client, node, room, download=None):
    'Every function says so, and soon.'
    async def each():
        tries = [
            lambda: node.info(), lambda: node.peers(), lambda: node.offers(), lambda: node.items(), lambda: node.stop(),
            lambda: node.share(folder), lambda: node.add_peer("127.0.0.1:9"), lambda: node.download("x", folder), lambda: node.next(),
            lambda: node.ended(), lambda: client.node(**LOCAL).start(), lambda: client.room(url, "x").join(), lambda: client.close(),
            lambda: client.dispose(), lambda: room.send(b"x"), lambda: room.call(1, "m"), lambda: room.update(name="x"),
            lambda: room.hint("online"), lambda: room.info(), lambda: room.participants(), lambda: room.leave(), lambda: room.next(),
            lambda: room.events().next(), lambda: client.__aiter__().next(),
        ]
        for number, one in enumerate(tries):
            began = time.perf_counter()
            try:
                result = one()
                if asyncio.iscoroutine(result):
                    await result
            except moorline.ForkedError as error:
                if (error.status, error.name) != (100, "forked"):
                    raise SystemExit(f"{number} says {error!r}")
            else:
                raise SystemExit(f"{number} works in a child")
            took = time.perf_counter() - began
            if took > 0.5:
                raise SystemExit(f"{number} took {took} s")
    run(each())
async def full_round(folder, into):
    'What a child can do with a client of its own.'
    async with moorline.Client() as client:
        async with client.node(share=[folder], **LOCAL) as giver, client.node(peers=[giver.address], **LOCAL) as taker:
            done = await taker.download("photos", into, wait=20)
            if digest(done.path) != digest(folder):
                raise SystemExit("another content")
        async with client.room(url, "child") as ada, client.room(url, "child") as bob:
            bob.on_call("echo", lambda call: call.payload)
            if await ada.call(bob.participant, "echo", b"x") != b"x":
                raise SystemExit("another answer")
async def still_well(client, node, room):
    'The parent does not notice.'
    if not (node.info().running and room.info().state == "live"):
        raise SystemExit("the parent was hurt")
    await room.send(b"still here")
    async with client.node(peers=[node.address], **LOCAL) as other:
        await first(other, moorline.PeerUp)
def fine(result):
    if result[0] != 0:
        raise SystemExit(f"the child ended with {result}")
"""


def test_in_a_child_every_function_says_so_and_a_new_client_does_the_full_round(script, server, folder, tmp_path):
    script(
        OPEN
        + """
async def main():
    kept = await opened()
    def child():
        everything_is_forked(*kept)
        run(full_round(folder, "in"))
        # The old ones are no better for it.
        everything_is_forked(*kept)
    # Not from within the loop: a child would inherit a running one.
    fine(await asyncio.get_running_loop().run_in_executor(None, ok_in_child, child))
    await still_well(*kept)
    await kept[0].close()
run(main())
""",
        server, folder,
    )


def test_the_library_says_so_within_ten_milliseconds(script, server, folder):
    script(
        OPEN
        + """
from moorline import _abi, _library
import ctypes
def child(handle):
    library, null = _library.library(), [None] * 10
    for name, types in _abi.FUNCTIONS.items():
        if name == "moorline_init":
            continue
        arguments = [handle if index == 0 and kind is ctypes.c_uint64 else kind() for index, kind in enumerate(types)]
        began = time.perf_counter()
        status = getattr(library, name)(*arguments)
        took = time.perf_counter() - began
        if status != 100 or took > 0.010:
            raise SystemExit(f"{name} answers {status} after {took} s")
async def main():
    client, node, room = await opened()
    fine(await asyncio.get_running_loop().run_in_executor(None, ok_in_child, child, client._handle))
    await client.close()
run(main())
""",
        server, folder,
    )


def test_a_child_that_ends_in_the_middle_of_a_block_ends_as_it_wants_to(script, server, folder):
    script(
        OPEN
        + """
async def main():
    try:
        async with moorline.Client() as client, client.node(**LOCAL) as node, client.room(url, "fork") as room:
            # An event waits when it forks, and the loop goes on in the child, with a selector that it shares with the parent.
            node.download("never", folder, wait=3600).cancel()
            time.sleep(0.2)
            child = os.fork()
            if child == 0:
                for turn in range(10):
                    await asyncio.sleep(0)
                sys.exit(7)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if code != 7:
                raise SystemExit(f"the child ended with {code}")
            await still_well(client, node, room)
    except SystemExit as end:
        # Not further up: `asyncio.run` itself would take the parent's loop apart.
        os._exit(end.code)
run(main())
with moorline.sync.Client() as client, client.node(**LOCAL) as node:
    child = os.fork()
    if child == 0:
        sys.exit(8)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 8 or not node.info().running:
        raise SystemExit(f"the child ended with {code}")
""",
        server, folder,
    )


def test_finalizers_and_exit_hooks_do_nothing_in_a_child(script, server, folder):
    script(
        OPEN
        + """
import atexit
async def main():
    global client, node, room
    client, node, room = await opened()
    def child():
        global client, node, room
        del client, node, room
        kept.clear()
        gc.collect()
        began = time.monotonic()
        atexit._run_exitfuncs()
        if time.monotonic() - began > 0.5:
            raise SystemExit("exit hooks did something")
    kept = []
    mine = client, node, room
    kept.append(mine)
    fine(await asyncio.get_running_loop().run_in_executor(None, ok_in_child, child))
    await still_well(*mine)
    await client.close()
run(main())
""",
        server, folder,
    )


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing_works_with_everything_open(script, server, folder, method):
    script(
        OPEN
        + f"""
def work(number):
    run(full_round(folder, f"in-{{number}}-{method}"))
    return number * 2
async def main():
    kept = await opened()
    def pool():
        with multiprocessing.get_context("{method}").Pool(2) as pool:
            return pool.map_async(work, range(3)).get(40)
    if await asyncio.get_running_loop().run_in_executor(None, pool) != [0, 2, 4]:
        raise SystemExit("another result")
    await still_well(*kept)
    await kept[0].close()
if __name__ == "__main__":
    run(main())
""",
        server, folder, seconds=90,
    )


def test_subprocesses_with_a_preexec_function_work(script, server, folder):
    script(
        OPEN
        + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
kept = []
def before_exec():
    client, node, room = kept
    if not raises(moorline.ForkedError, node.info):
        os._exit(9)
def spawn():
    return subprocess.run([sys.executable, "-c", "print(1)"], preexec_fn=before_exec, stdout=subprocess.DEVNULL, timeout=20).returncode
async def main():
    kept.extend(await opened())
    # In a thread, as the functions above belong to the loop's thread; the library's answer comes before that matters.
    codes = [await asyncio.get_running_loop().run_in_executor(None, spawn) for _ in range(10)]
    if any(codes):
        raise SystemExit(f"ended with {codes}")
    await still_well(*kept)
    await kept[0].close()
run(main())
""",
        server, folder,
    )


def test_synchronous_clients_say_so_although_another_thread_held_their_lock(script, server, folder):
    script(
        OPEN
        + """
with moorline.sync.Client() as client, client.node(**LOCAL) as node, client.room(url, "sync-fork") as room:
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            node.info()
            room.send(b"x", delivery="ephemeral")
    workers = [threading.Thread(target=busy) for _ in range(2)]
    [worker.start() for worker in workers]
    def child(full):
        # Held, as it may have been at the fork.
        room._runner._lock.acquire(False)
        for one in (node.info, node.stop, room.leave, room.next, client.close, lambda: room.send(b"x"), lambda: node.share(folder)):
            if not raises(moorline.ForkedError, one):
                raise SystemExit("it works in a child")
        if full:
            with moorline.sync.Client() as own, own.node(**LOCAL) as fresh:
                if not fresh.info().running:
                    raise SystemExit("a new client does not work")
    for round in range(30):
        fine(ok_in_child(child, round % 10 == 0))
    stop.set()
    [worker.join(20) for worker in workers]
    if any(worker.is_alive() for worker in workers) or not node.info().running:
        raise SystemExit("the parent was hurt")
""",
        server, folder, seconds=90,
    )


def test_many_forks_under_load_leave_parent_and_children_well(script, server, folder):
    script(
        OPEN
        + """
async def main():
    kept = await opened()
    client, node, room = kept
    running = True
    async def load(number):
        while running:
            await room.send(b"x" * 100, delivery="ephemeral")
            node.download("never", folder, wait=3600)
    loads = [asyncio.ensure_future(load(number)) for number in range(4)]
    def child():
        from moorline import _library
        if not raises(moorline.ForkedError, client._check):
            raise SystemExit("it was not told")
        gc.collect()
    for _ in range(100):
        fine(await asyncio.get_running_loop().run_in_executor(None, ok_in_child, child))
    running = False
    await asyncio.gather(*loads)
    await still_well(*kept)
    await client.close()
run(main())
""",
        server, folder, seconds=120,
    )


def test_the_peer_sees_the_parent_leave_although_a_child_holds_its_descriptors(script, server, folder):
    script(
        OPEN
        + """
async def main():
    async with moorline.Client() as far, far.node(**LOCAL) as watcher, far.room(url, "fork") as seat:
        client, node, room = await opened()
        await node.add_peer(watcher.address)
        await first(watcher, moorline.PeerUp)
        await first(seat, moorline.ParticipantJoined)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # Until the parent is done.
            os._exit(0)
        os.close(reading)
        await client.close()
        down = await first(watcher, moorline.PeerDown, 5)
        left = await first(seat, moorline.ParticipantLeft, 5)
        if not down.said_goodbye or left.reason != "left":
            raise SystemExit(f"{down} {left}")
        os.close(writing)
        os.waitpid(child, 0)
run(main())
""",
        server, folder,
    )
