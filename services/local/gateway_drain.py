"""`python -m services.local.gateway_drain`: waits for a gateway's requests to end, which Envoy by itself does not.

For the container of `gateway_main`, whose `TABLING_GATEWAY_ADMIN_PORT` it reads. Returns when Envoy may be told to end:
streams that are still open then break, and whoever watches comes back to another gateway.
"""

import os
import re
import sys
import time
import urllib.request
from collections.abc import Callable

from services.chassis.running import CannotRun
from services.chassis.settings import Variables
from services.local.gateway_settings import Limits

NEWS_SECONDS = 5.0
"""How long it takes until everybody has heard that this gateway is gone, and brings no more requests."""

LONGEST_SECONDS = Limits().unary_seconds
LOOK_EVERY_SECONDS = 0.1
ANSWER_SECONDS = 2.0
ACTIVE = "http.gateway.downstream_rq_active"

Ask = Callable[[str], str]
"""Answers to what is asked of Envoy's admin port, by path; those that begin with POST change something."""


def drain(ask: Ask, news_seconds: float = NEWS_SECONDS, request_seconds: float = LONGEST_SECONDS) -> None:
    """Return once no request but streams can be under way.

    From now on every answer tells its caller to come by another connection. Who comes all the same is answered.
    """
    ask("POST /healthcheck/fail")
    ask("POST /drain_listeners?graceful&skip_exit")
    time.sleep(news_seconds)
    limit = time.monotonic() + request_seconds
    # streams count too: with one open this takes as long as the longest request may
    while active(ask) and time.monotonic() < limit:
        time.sleep(LOOK_EVERY_SECONDS)


def active(ask: Ask) -> int:
    """How many requests are under way, streams among them."""
    found = re.search(rf"^{re.escape(ACTIVE)}: (\d+)$", ask(f"GET /stats?filter=^{ACTIVE}$"), re.MULTILINE)
    return int(found[1]) if found else 0


def asking(port: int) -> Ask:
    """Asks the Envoy of this container."""

    def ask(what: str) -> str:
        method, _, path = what.partition(" ")
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
            return str(answer.read().decode())

    return ask


def main() -> int:
    """Drain the gateway of this container. Returns the exit code."""
    try:
        drain(asking(Variables("gateway", os.environ).whole("ADMIN_PORT", 0, 65_535)))
    except (CannotRun, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
