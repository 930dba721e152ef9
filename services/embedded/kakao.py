"""The stand-in for KakaoTalk as a child process."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from services.embedded.child import child


@asynccontextmanager
async def kakao(port: int, data: Path) -> AsyncIterator[None]:
    """Run `services.kakao` on 127.0.0.1; its messages stay in `data`. Raises `ChildFailed`."""
    command = (sys.executable, "-m", "services.kakao", "--port", str(port), "--data", str(data / "kakao"))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:

        async def answers() -> bool:
            try:
                async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    return answer.status == 200
            except (aiohttp.ClientError, TimeoutError):
                return False

        async with child("the stand-in for KakaoTalk", command, data / "kakao.log", answers):
            yield
