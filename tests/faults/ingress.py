"""The ingress before the replicas, as in a cluster: Copper's notifications go to whoever answers."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from bridge.sandbox.copper import Account, CopperDouble
from tests.faults.replicas import Replica

HINTS_KEPT = 0.05
"""Share of new/update notifications that arrive; those about records that are gone all do, for nothing else tells."""
AGAIN_S = 0.1


class Ingress:
    """Takes the double's notifications and brings each to a replica that says 2xx, however long that takes."""

    def __init__(self, copper: CopperDouble, replicas: Sequence[Replica], random: Random) -> None:
        self._copper = copper
        self._replicas = replicas
        self._random = random
        self._waiting: set[asyncio.Task[None]] = set()
        self.answers: Counter[int] = Counter()
        self.withheld = 0

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncGenerator[None]:
        app = web.Application()
        app.router.add_post("/webhooks/copper/{account}", self._take)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            self._session = session
            try:
                yield
            finally:
                for task in self._waiting:
                    task.cancel()
                await asyncio.gather(*self._waiting, return_exceptions=True)
                await runner.cleanup()

    @property
    def empty(self) -> bool:
        return not self._waiting

    async def _take(self, request: web.Request) -> web.Response:
        account, body = request.match_info["account"], await request.read()
        if self._withholds(self._copper.account(account), json.loads(body)):
            self.withheld += 1
        else:
            task = asyncio.create_task(self._bring(request.path, body, request.headers["X-Bridge-Token"]))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        return web.Response()

    def _withholds(self, account: Account, said: Mapping[str, Any]) -> bool:
        gone = any(_is_gone(account.record(said["type"], record_id)) for record_id in said["ids"])
        return not gone and self._random.random() >= HINTS_KEPT

    async def _bring(self, path: str, body: bytes, token: str) -> None:
        while True:
            for replica in self._random.sample(self._replicas, len(self._replicas)):
                url = f"http://127.0.0.1:{replica.ports[0]}{path}"
                try:
                    async with self._session.post(url, data=body, headers={"X-Bridge-Token": token}) as answer:
                        self.answers[answer.status] += 1
                        if answer.ok:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass
            await asyncio.sleep(AGAIN_S)


def _is_gone(record: Mapping[str, Any] | None) -> bool:
    return record is None or record.get("converted_at") is not None
