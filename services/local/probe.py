"""Asking over HTTP whether somebody is there and well."""

import aiohttp

SECONDS = 2.0


async def fetch(url: str) -> str | None:
    """The body that a GET brings with status 200; None when there is no such answer."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as http,
            http.get(url) as answer,
        ):
            return await answer.text() if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        return None
