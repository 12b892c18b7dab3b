"""Nodes: sharing, fetching, and what is told of it."""

import asyncio

import pytest

import moorline
from helpers import LOCAL, digest, first, live, offered, until


@live
async def test_two_nodes_share_and_fetch_and_the_copy_is_the_same(folder, tmp_path):
    async with moorline.Client() as client:
        async with client.node(share=[folder], name="giver", **LOCAL) as giver, client.node(name="taker", **LOCAL) as taker:
            await taker.add_peer(giver.address)
            download = taker.download("photos", tmp_path / "in")
            seen = [event async for event in download]
    assert isinstance(seen[-1], moorline.DownloadEnded) and seen[-1].ok
    planned = next(event for event in seen if isinstance(event, moorline.DownloadPlanned))
    assert (planned.files, planned.name) == (3, "photos")
    progress = [event for event in seen if isinstance(event, moorline.DownloadProgress)]
    assert all(event.done <= event.total == planned.total for event in progress)
    assert seen[-1].path == str(tmp_path / "in" / "photos")
    assert digest(tmp_path / "in" / "photos") == digest(folder)


@live
async def test_awaiting_a_download_gives_its_last_event_and_a_second_one_finds_it_there(folder, tmp_path):
    async with moorline.Client() as client:
        async with client.node(share=[folder], **LOCAL) as giver, client.node(peers=[giver.address], **LOCAL) as taker:
            offer = await offered(taker)
            first_time = await taker.download(offer.item, tmp_path / "in")
            again = await taker.download("photos", tmp_path / "in", peer=giver.peer, name="photos")
    assert not first_time.existed and first_time.fetched == first_time.total
    assert again.existed and again.path == first_time.path


@live
async def test_snapshots_say_how_things_are(folder):
    async with moorline.Client() as client:
        async with client.node(share=[folder], name="giver", **LOCAL) as giver:
            async with client.node(name="taker", peers=[giver.address], **LOCAL) as taker:
                up = await first(taker, moorline.PeerUp)
                offer = await offered(taker)
                (peer,), (item,), info = taker.peers(), giver.items(), giver.info()
    assert (up.peer, up.name, up.shares) == (giver.peer, "giver", True)
    assert (peer.peer, peer.name, peer.address) == (giver.peer, "giver", giver.address)
    assert (item.item, item.name, item.files) == (offer.item, "photos", 3)
    assert [provider.peer for provider in offer.providers] == [giver.peer]
    assert info.running and info.peer == giver.peer and info.address == giver.address and info.peers == 1


@live
async def test_what_is_shared_later_is_on_offer_later(folder, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("a", encoding="utf-8")
    async with moorline.Client() as client, client.node(library=True, **LOCAL) as node:
        await node.share(folder)
        await node.share(tmp_path / "notes", children=True)
        await until(lambda: {item.name for item in node.items()} == {"photos", "a.txt"})


@live
async def test_a_download_that_nobody_offers_raises_for_whoever_reads_it(tmp_path):
    async with moorline.Client() as client, client.node(**LOCAL) as node:
        with pytest.raises(moorline.PeerError) as error:
            await node.download("nothing", tmp_path, wait=0.05)
        assert error.value.name == "unknown_item" and "nothing" in error.value.message
        seen = []
        with pytest.raises(moorline.PeerError):
            async for event in node.download("nothing", tmp_path, wait=0.05):
                seen.append(event)
        assert isinstance(seen[-1], moorline.DownloadEnded) and seen[-1].status == "unknown_item"


@live
async def test_a_node_that_cannot_listen_says_so():
    async with moorline.Client() as client:
        async with client.node(**LOCAL) as node:
            with pytest.raises(moorline.MachineError) as error:
                await client.node(listen=node.address, multicast=False).start()
    assert error.value.name == "bind"


@live
async def test_a_stopped_node_ends_its_iteration_and_refuses_what_comes_later(tmp_path):
    async with moorline.Client() as client:
        async with client.node(**LOCAL) as node:
            waiting = asyncio.ensure_future(node.download("never", tmp_path, wait=30).ended())
            await asyncio.sleep(0)
        assert isinstance([event async for event in node][-1], moorline.NodeStopped)
        assert (await node.ended()).ok
        with pytest.raises(moorline.Error):
            await waiting
        with pytest.raises((moorline.ClosedError, moorline.MisuseError)):
            await node.add_peer("127.0.0.1:9")
        await node.stop()
        with pytest.raises(moorline.MisuseError):
            await node.start()


@live
async def test_a_closed_client_ends_everything_in_it(tmp_path):
    client = await moorline.Client().open()
    node = await client.node(**LOCAL).start()
    download = node.download("never", tmp_path, wait=30)
    await client.close()
    await client.close()
    assert isinstance([event async for event in node][-1], moorline.NodeStopped)
    with pytest.raises(moorline.Error):
        await download
    assert [type(event) for event in [event async for event in client]] == [moorline.ClientClosed]
    with pytest.raises(moorline.ClosedError):
        client.node(**LOCAL).info()
    with pytest.raises(moorline.ClosedError):
        await client.node(**LOCAL).start()


@live
async def test_passphrases_keep_strangers_out(folder):
    async with moorline.Client() as client:
        async with client.node(share=[folder], passphrase="right horse battery", **LOCAL) as giver:
            async with client.node(peers=[giver.address], passphrase="wrong horse battery", **LOCAL) as taker:
                refused = await first(taker, moorline.PeerRefused)
    assert refused.status == "access" and giver.address in refused.found
