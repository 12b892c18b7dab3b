"""A peer in one file. Usage: peer.py NAME SHARE_FOLDER PEER_ADDR_OR_- ITEM_OR_- INTO ROOM_URL ROOM"""

import asyncio
import sys
import moorline


async def fetch(node, item, into):
    async for event in node.download(item, into, wait=30):
        if isinstance(event, moorline.DownloadProgress) and event.total:
            print(f"progress {event.done * 100 // event.total}", flush=True)
        elif isinstance(event, moorline.DownloadEnded) and event.ok:
            print(f"fetched {event.path}", flush=True)


async def listen(room, other):
    async for event in room:
        if isinstance(event, moorline.Message):
            print(f"{event.participant} says {event.payload.decode()}", flush=True)
        elif isinstance(event, moorline.ParticipantJoined) and not other.done():
            other.set_result(event.participant)


async def talk(room, name):
    asked, other = asyncio.Event(), asyncio.get_running_loop().create_future()

    def greet(call):
        asked.set()
        return f"{name} greets {call.payload.decode()}"

    room.on_call("greet", greet)
    async with room:
        listening = asyncio.ensure_future(listen(room, other))
        await room.send(f"hello from {name}")
        for one in room.participants():
            if one.participant != room.participant and not other.done():
                other.set_result(one.participant)
        print("answer", (await room.call(await other, "greet", name, timeout=60)).decode(), flush=True)
        await asked.wait()
    await listening


async def live(name, folder, peer, item, into, url, room):
    settings = dict(name=name, share=[folder], listen="127.0.0.1:0", multicast=False)
    async with moorline.Client() as client, client.node(**settings) as node:
        print(f"listening {node.address}", flush=True)
        if peer != "-":
            await node.add_peer(peer)
        if item != "-":
            await fetch(node, item, into)
        await asyncio.wait_for(talk(client.room(url, room, node=node, name=name), name), 60)


try:
    asyncio.run(live(*sys.argv[1:]))
    print("done")
except Exception as error:
    print(f"failed: {error or type(error).__name__}")
    sys.exit(1)
