"""Asking over HTTP whether somebody is there and well."""

import ssl

import aiohttp

SECONDS = 2.0


async def fetch(url: str, trusting: ssl.SSLContext | None = None) -> str | None:
    """The body that a GET brings with status 200; None when there is no such answer.

    `trusting` says whom to trust besides those whom everybody trusts.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as http,
            http.get(url, ssl=trusting or True) as answer,
        ):
            return await answer.text() if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError):
        return None
