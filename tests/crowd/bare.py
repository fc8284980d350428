"""The least that one round of polls can cost: the same calls by a bare aiohttp client, their answers parsed.

`python -m tests.crowd.bare BASE_URL ACCOUNTS` prints the CPU seconds of it.
"""

import asyncio
import sys
import time

import aiohttp
import orjson

from bridge.sandbox.copper.entities import PLURALS
from tests.crowd.copper import account_name, token_of

AT_ONCE = 20


async def rounded(base_url: str, accounts: int) -> float:
    """The CPU seconds of one round."""
    async with aiohttp.ClientSession() as session:
        places = asyncio.Semaphore(AT_ONCE)

        async def ask(name: str, plural: str) -> None:
            body = {"page_size": 200, "sort_by": "date_modified", "sort_direction": "desc"}
            if plural not in {"people", "companies"}:
                body |= {"sort_direction": "asc", "minimum_modified_date": int(time.time()) - 120}
            headers = {"Authorization": f"Bearer {token_of(name)}", "Content-Type": "application/json"}
            async with (
                places,
                session.post(f"{base_url}/{plural}/search", data=orjson.dumps(body), headers=headers) as answer,
            ):
                orjson.loads(await answer.read())

        before = time.process_time()
        names = map(account_name, range(accounts))
        await asyncio.gather(*(ask(name, plural) for name in names for plural in PLURALS))
        return time.process_time() - before


if __name__ == "__main__":
    print(asyncio.run(rounded(sys.argv[1], int(sys.argv[2]))))
