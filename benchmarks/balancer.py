"""A small TCP balancer: new connections go to servers that are ready, as those of the fourth layer do it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from itertools import count

import httpx

PROBE_SECONDS = 0.25


class Balancer:
    """Hands each connection to the next server that was ready when it was last asked.

    Attributes:
        ready: ports of those servers.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports, self._turn = ports, count()
        self.ready: list[int] = []
        self._probed = asyncio.Condition()

    async def probe(self) -> None:
        """Ask all servers again and again."""
        async with httpx.AsyncClient(timeout=10) as client:
            while True:
                answers = await asyncio.gather(*(self._is_ready(client, port) for port in self._ports))
                self.ready = [port for port, ready in zip(self._ports, answers, strict=True) if ready]
                async with self._probed:
                    self._probed.notify_all()
                await asyncio.sleep(PROBE_SECONDS)

    async def all_ready(self) -> None:
        """Wait until every server is."""
        async with self._probed:
            await self._probed.wait_for(lambda: len(self.ready) == len(self._ports))

    async def _is_ready(self, client: httpx.AsyncClient, port: int) -> bool:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection in both directions until either side ends it."""
        if self.ready:
            port = self.ready[next(self._turn) % len(self.ready)]
            with contextlib.suppress(OSError):
                there = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def balancing(ports: Sequence[int]) -> AsyncIterator[tuple[Balancer, int]]:
    """A balancer in front of servers on loopback, and its own port."""
    balancer = Balancer(ports)
    server = await asyncio.start_server(balancer.carry, "127.0.0.1", 0)
    probing = asyncio.create_task(balancer.probe())
    try:
        yield balancer, server.sockets[0].getsockname()[1]
    finally:
        probing.cancel()
        server.close()
