"""The least that anything between a client and a server can cost: bytes handed on, unread.

Run as `python -m benchmarks.relay PORT TARGET_PORT`.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import cast

import uvloop

from deployer.ports import LOOPBACK, free_port, is_taken

UP_WITHIN_S = 10.0


class _Half(asyncio.Protocol):
    """Hands on what it receives to its other half."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None
        self.waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)
        else:
            self.waiting += data

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()


@contextmanager
def relay(target_port: int) -> Iterator[int]:
    """A relay to a port while the context is open; gives its own port."""
    port = free_port()
    process = Popen([sys.executable, "-m", "benchmarks.relay", str(port), str(target_port)])
    try:
        asyncio.run(asyncio.wait_for(_until_taken(port), UP_WITHIN_S))
        yield port
    finally:
        process.terminate()
        process.wait(timeout=10)


async def _until_taken(port: int) -> None:
    while not is_taken(port):
        await asyncio.sleep(0.02)


async def _serve(port: int, target_port: int) -> None:
    loop = asyncio.get_running_loop()

    async def connect(caller: _Half) -> None:
        _, target = await loop.create_connection(_Half, LOOPBACK, target_port)
        caller.other, target.other = target, caller
        if target.transport:
            target.transport.write(caller.waiting)

    class Caller(_Half):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            tasks.add(task := loop.create_task(connect(self)))
            task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Task[None]] = set()
    server = await loop.create_server(Caller, LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
