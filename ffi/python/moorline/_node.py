"""Nodes and downloads."""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import TYPE_CHECKING, Any, Dict, Generator, List, Optional, Union

from . import _abi, _library, records
from ._library import encode, milliseconds, options
from ._session import Session
from ._tasks import leaving
from .errors import ClosedError
from .events import DownloadEnded, Event, NodeStarted, NodeStopped

if TYPE_CHECKING:
    from types import TracebackType

    from ._client import Client

Path = Union[str, "os.PathLike[str]"]


class Node(Session[NodeStopped]):
    """One peer: it shares, finds others and fetches. Made by `Client.node`; `async with` starts and stops it."""

    _what = "node"

    def __init__(self, client: "Client", settings: Dict[str, Any]) -> None:
        super().__init__(client)
        self._options = settings
        self.peer = ""
        """Its id, once it runs."""
        self.address = ""
        """Where it listens, once it runs."""

    async def start(self) -> "Node":
        """Starts it, and waits until it runs. Part of `async with`."""
        self._begin_once()
        handle = ctypes.c_uint64()
        made = options(_abi.NodeOptions, **self._options)
        self._client._invoke("moorline_node_start", ctypes.byref(made), ctypes.byref(handle))
        self._adopt(handle.value)
        await self._begun(lambda: self.peer)
        return self

    async def stop(self) -> None:
        """Leaves its rooms, ends its downloads, tells peers goodbye, and waits for that. Again changes nothing."""
        await self._finish("moorline_node_stop")

    async def __aenter__(self) -> "Node":
        return await self.start()

    async def __aexit__(
        self, kind: Optional[type], error: Optional[BaseException], trace: "Optional[TracebackType]"
    ) -> None:
        with leaving():
            await self.stop()

    async def share(self, path: Path, children: bool = False) -> None:
        """Shares one more file or folder; it is on offer once it is hashed."""
        flags = _abi.FLAG_CHILDREN if children else 0
        name = encode(os.fspath(path))
        await self._client._request("moorline_node_share", self._require(), name, len(name), flags)

    async def add_peer(self, address: str) -> None:
        """Connects to a peer at "ip:port", and stays connected. `PeerUp` says when it is there."""
        where = encode(address)
        await self._client._request("moorline_node_add_peer", self._require(), where, len(where))

    def download(
        self,
        item: str,
        into: Path,
        *,
        name: str = "",
        peer: str = "",
        wait: float = 10.0,
        end_when_alone: bool = False,
        share: bool = False,
    ) -> "Download":
        """Fetches an item, by id or name, into a folder, from everyone who has it. It begins at once; `await` it, or iterate.

        `wait`: seconds until somebody has to offer it. `peer`: fetch from that one only. `end_when_alone`: fail when nobody is left
        who has it. `share`: offer it to others once it is whole.
        """
        flags = (_abi.FLAG_END_WHEN_ALONE if end_when_alone else 0) | (_abi.FLAG_SHARE if share else 0)
        made = options(
            _abi.DownloadOptions,
            flags=flags,
            item=item,
            into=os.fspath(into),
            name=name,
            from_=peer,
            wait_ms=max(1, milliseconds(wait)),
        )
        handle = ctypes.c_uint64()
        self._client._invoke("moorline_node_download", self._require(), ctypes.byref(made), ctypes.byref(handle))
        download = Download(self)
        download._adopt(handle.value)
        return download

    def info(self) -> records.NodeInfo:
        """How it is now."""
        return records.one(self._snapshot("moorline_node_info"), records.NodeInfo)

    def peers(self) -> List[records.Peer]:
        """Who is connected."""
        return records.many(self._snapshot("moorline_node_peers"), records.Peer)

    def offers(self) -> List[records.Offer]:
        """What connected peers offer."""
        return records.offers(self._snapshot("moorline_node_offers"))

    def items(self) -> List[records.Item]:
        """What it shares itself."""
        return records.many(self._snapshot("moorline_node_items"), records.Item)

    def _seen(self, event: Event) -> None:
        if isinstance(event, NodeStarted):
            self.peer, self.address = event.peer, event.address


class Download(Session[DownloadEnded]):
    """An item on its way. Iterate over what happens, or `await` it for its last event: both raise if it fails.

    An `await` that is cancelled calls the download off, as with a task; `ended` does not. `async with` calls it off at the end of the
    block, if it has not ended by then. What was fetched is kept for the next time.
    """

    _what = "download"

    def __init__(self, node: Node) -> None:
        super().__init__(node._client)
        self._node = node  # A node that nobody holds would stop.

    def __await__(self) -> Generator[Any, None, DownloadEnded]:
        return self._result().__await__()

    async def _result(self) -> DownloadEnded:
        try:
            last = await self.ended()
        except asyncio.CancelledError:
            self._called_off = True
            _library.quiet("moorline_cancel", self._client._handle, self._handle)
            raise
        error = last.error()
        if error is not None:
            raise error
        return last

    def cancel(self) -> None:
        """Calls it off; its last event comes all the same."""
        self._called_off = True
        try:
            self._client._call("moorline_cancel", self._require())
        except ClosedError:  # It ended in the same moment.
            pass

    def info(self) -> records.DownloadInfo:
        """How far it is."""
        return records.one(self._snapshot("moorline_download_info"), records.DownloadInfo)

    async def __aenter__(self) -> "Download":
        return self

    async def __aexit__(
        self, kind: Optional[type], error: Optional[BaseException], trace: "Optional[TracebackType]"
    ) -> None:
        with leaving():
            await self._finish("moorline_cancel")


