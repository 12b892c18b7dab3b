"""The same words without asyncio."""

import asyncio
import threading
import time

import pytest

import moorline
import moorline.sync
from helpers import LOCAL, digest, raises


def test_share_fetch_join_send_call_and_end(server, room_name, folder, tmp_path):
    with moorline.sync.Client() as client:
        with client.node(share=[folder], **LOCAL) as giver, client.node(**LOCAL) as taker:
            taker.add_peer(giver.address)
            seen = list(taker.download("photos", tmp_path / "in", wait=20))
            assert isinstance(seen[-1], moorline.DownloadEnded)
            assert taker.download("photos", tmp_path / "in").result().existed
            assert digest(seen[-1].path) == digest(folder)
            assert [item.name for item in giver.items()] == ["photos"] == [offer.name for offer in taker.offers()]
            assert taker.peers()[0].peer == giver.peer == giver.info().peer
        with client.room(server, room_name, name="ada") as ada, client.room(server, room_name, name="bob") as bob:
            main = threading.current_thread()
            bob.on_call("who", lambda call: f"{call.method} {threading.current_thread() is not main}")
            assert ada.call(bob.participant, "who", timeout=5) == b"who True"
            ada.send("hello", topic="t")
            message = next(event for event in bob if isinstance(event, moorline.Message))
            assert (message.participant, message.payload) == (ada.participant, b"hello")
            bob.update(metadata="m")
            bob.on_call("who", None)
            worker = threading.Thread(target=lambda: next(one for one in bob if isinstance(one, moorline.Call)).reply(b"event"))
            worker.start()
            assert ada.call(bob.participant, "x") == b"event"
            worker.join()
            assert {one.name for one in bob.participants()} == {"ada", "bob"} and bob.info().state == "live"
    assert isinstance(list(bob)[-1], moorline.Disconnected)
    assert raises(moorline.ClosedError, ada.send, b"x")
    client.close()


def test_threads_share_a_client(server, room_name):
    with moorline.sync.Client() as client, client.room(server, room_name) as ada, client.room(server, room_name) as bob:
        bob.on_call("echo", lambda call: call.payload)
        answers = []

        def ask(number):
            answers.append(int(ada.call(bob.participant, "echo", str(number))) == number)

        workers = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
        assert answers == [True] * 20


def test_reading_has_a_time_out_and_closing_ends_whoever_reads():
    with moorline.sync.Client() as client:
        node = client.node(**LOCAL).start()
        with pytest.raises(moorline.TimeoutError):
            while node.next(timeout=0.05):
                pass
        more, seen = node.events(), []
        readers = [threading.Thread(target=lambda events=events: seen.append(list(events))) for events in (node, more, client)]
        for reader in readers:
            reader.start()
        client.close()
        for reader in readers:
            reader.join(10)
    last = sorted(type(events[-1]).__name__ for events in seen)
    assert last == ["ClientClosed", "NodeStopped", "NodeStopped"]


def test_closing_ends_whoever_waits_for_anything():
    client = moorline.sync.Client().open()
    runner, ended = client._runner, []

    def wait():
        ended.append(raises(moorline.CancelledError, runner.run, asyncio.sleep, 3600))

    waiting = threading.Thread(target=wait)
    waiting.start()
    runner.run(asyncio.sleep, 0.05)
    client.close()
    waiting.join(10)
    assert ended == [True]


def test_a_download_can_be_called_off(tmp_path):
    with moorline.sync.Client() as client, client.node(**LOCAL) as node:
        with node.download("never", tmp_path, wait=3600) as download:
            download.cancel()
            with pytest.raises(moorline.CancelledError):
                download.result()
            assert download.info().item == "never"
        with node.download("never", tmp_path, wait=3600):
            pass


def test_a_handler_cannot_wait_for_its_own_thread_and_fails_alone(server, room_name):
    with moorline.sync.Client() as client, client.room(server, room_name) as ada, client.room(server, room_name) as bob:
        bob.on_call("nested", lambda call: bob.call(ada.participant, "inner"))
        ada.on_call("inner", lambda call: b"from within")
        assert ada.call(bob.participant, "nested") == b"from within"

        async def inside():
            return raises(moorline.MisuseError, bob.info)

        assert client._runner.run(inside)


def test_a_client_that_cannot_open_leaves_no_thread():
    before = threading.active_count()
    with pytest.raises(moorline.MisuseError):
        moorline.sync.Client(threads=1000).open()
    assert threading.active_count() == before
    with pytest.raises(moorline.ClosedError):
        moorline.sync.Client().node()


def test_interrupting_a_wait_calls_it_off(script, server):
    script(
        """
with moorline.sync.Client() as client, client.room(sys.argv[1], "sigint") as ada, client.room(sys.argv[1], "sigint") as bob:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        ada.call(bob.participant, "silence", timeout=3600)
    except KeyboardInterrupt:
        end = time.monotonic() + 5
        while client._inner._pending and time.monotonic() < end:
            time.sleep(0.01)
        if client._inner._pending:
            raise SystemExit("the request goes on")
        sys.exit(9)
""",
        server, status=9,
    )


@pytest.mark.parametrize("flags", [(), ("-O",)])
def test_everything_is_open_at_exit(script, server, folder, flags):
    began = time.monotonic()
    script(
        """
client = moorline.sync.Client().open()
node = client.node(share=[sys.argv[2]], **LOCAL).start()
room = client.room(sys.argv[1], "exit", node=node).join()
room.on_call("stuck", lambda call: time.sleep(3600))
download = node.download("never", sys.argv[2], wait=3600)
threading.Thread(target=lambda: list(room), daemon=True).start()
threading.Thread(target=lambda: room.call(room.participant, "stuck", timeout=3600), daemon=True).start()
time.sleep(0.2)
""",
        server, folder, flags=flags, seconds=20,
    )
    assert time.monotonic() - began < 10
