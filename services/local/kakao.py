"""The stand-in for KakaoTalk as a child process."""

import sys
from pathlib import Path

from services.local.child import Child, Program
from services.local.probe import fetch


def kakao(port: int, data: Path) -> Child:
    """`services.kakao` on 127.0.0.1; its messages stay in `data`."""
    log = data / "kakao.log"

    async def answers() -> bool:
        return await fetch(f"http://127.0.0.1:{port}/healthz") is not None

    return Child(
        Program(
            name="the stand-in for KakaoTalk",
            command=(sys.executable, "-m", "services.kakao", "--port", str(port), "--data", str(data / "kakao")),
            log=log,
            answers=answers,
            explain=lambda text: f"its whole log is {log}",
        )
    )
