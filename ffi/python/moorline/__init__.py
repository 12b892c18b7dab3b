"""Share folders with peers, fetch them verified, and talk in rooms: asyncio first; `moorline.sync` has the same words for threads.

    async with moorline.Client() as client:
        async with client.node(share=["photos"]) as node:
            await node.download("music", "downloads")

Errors are classes by who can do something about them, below `moorline.Error`. `python -m moorline doctor` says what is wrong
when nothing works.
"""

from . import errors, events, records
from ._client import Client
from ._node import Download, Node
from ._room import Room
from ._session import Session
from ._stream import Stream
from .errors import *  # noqa: F403
from .events import *  # noqa: F403

__all__ = ["Client", "Download", "Node", "Room", "Session", "Stream", "errors", "events", "records"]
__all__ += errors.__all__
__all__ += events.__all__
