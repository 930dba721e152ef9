"""Composition root: the dealer's API and the inbox over one state."""

import time
from collections.abc import Callable

from aiohttp import web

from services.kakao.body import MOST_BYTES
from services.kakao.errors import answer, refusals
from services.kakao.journal import Journal
from services.kakao.pages import Pages
from services.kakao.state import State
from services.kakao.vendor import Vendor

MOST_MESSAGES = 50_000


def build(
    journal: Journal | None = None, most: int = MOST_MESSAGES, clock: Callable[[], float] = time.time
) -> web.Application:
    """The application; it keeps the last `most` messages, and all it is told in the journal when there is one."""
    state = State(most, journal)
    app = web.Application(middlewares=[refusals], client_max_size=MOST_BYTES)
    app.add_routes(Vendor(state, clock).routes())
    app.add_routes(Pages(state.inbox).routes())
    app.add_routes([web.get("/healthz", healthy)])
    return app


async def healthy(request: web.Request) -> web.Response:
    return answer({"status": "ok"})
