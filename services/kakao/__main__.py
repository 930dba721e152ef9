"""python -m services.kakao --port 9190: the stand-in as a process of its own."""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from services.kakao.addresses import is_loopback
from services.kakao.app import build
from services.kakao.journal import InUse, Journal

STOP_SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m services.kakao", description="a local stand-in for KakaoTalk")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=9190, help="0 for any free port")
    parser.add_argument("--data", type=Path, help="keep messages and templates in this folder")
    exposed = "let --host be any address: for a container whose port only its own machine can reach"
    parser.add_argument("--exposed", action="store_true", help=exposed)
    wanted = parser.parse_args()
    if not (wanted.exposed or is_loopback(wanted.host)):
        parser.error(
            f"--host {wanted.host}: this is no real vendor and shows every message to whoever asks;"
            " it listens on loopback addresses only"
        )
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    try:
        uvloop.run(serve(wanted.host.strip("[]"), wanted.port, wanted.data))
    except (InUse, OSError) as error:
        sys.exit(f"kakao: {error}")


async def serve(host: str, port: int, data: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with Journal(data) if data is not None else contextlib.nullcontext() as journal:
        runner = web.AppRunner(build(journal), access_log=None, shutdown_timeout=STOP_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000, 20, 20)  # Messages are kept on purpose: looking through them often frees nothing.
            print(f"KakaoTalk inbox: http://{_authority(*runner.addresses[0][:2])}/inbox", flush=True)
            await stop.wait()
        finally:
            await runner.cleanup()


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


if __name__ == "__main__":
    main()
