"""aiohttp, two sessions of it. Argument: the URL."""
import asyncio
import sys

import aiohttp


async def main():
    for _ in range(2):
        async with aiohttp.ClientSession() as session, session.get(sys.argv[1]) as answer:
            print(await answer.text())


asyncio.run(main())
