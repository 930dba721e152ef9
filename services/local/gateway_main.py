"""`python -m services.local.gateway_main`: becomes Envoy, for a container of its own.

`TABLING_GATEWAY_LISTEN` is host:port, `TABLING_<SERVICE>_TARGET` where each service is found. These may be left out:
`TABLING_GATEWAY_BALANCED` (on: each target is one address behind which others balance), `_CORS_ORIGINS` (with commas
between), `_ACCESS_LOG` (a file, such as /dev/stdout), `_TRUSTED_HOPS`, `_CONCURRENCY` and `_ADMIN_PORT`.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.chassis.running import CannotRun
from services.chassis.settings import Variables, upstreams
from services.local.commands import DESCRIPTORS
from services.local.gateway import GatewaySettings, command, render

MOST_HOPS = 8
MOST_THREADS = 256
HIGHEST_PORT = 65_535


def settings(environment: Mapping[str, str]) -> GatewaySettings:
    """What the environment says. Raises `CannotRun`."""
    given = Variables("gateway", environment)
    host, _, port = given.address("LISTEN", "127.0.0.1:8080").rpartition(":")
    log = given.text("ACCESS_LOG", "")
    try:
        return GatewaySettings(
            descriptors=DESCRIPTORS,
            upstreams=upstreams(given),
            listen_host=host,
            listen_port=int(port),
            admin_port=given.whole("ADMIN_PORT", 0, HIGHEST_PORT),
            balanced=given.switch("BALANCED", "off"),
            cors_origins=tuple(filter(None, map(str.strip, given.text("CORS_ORIGINS", "").split(",")))),
            access_log=Path(log) if log else None,
            concurrency=max(1, given.whole("CONCURRENCY", 1, MOST_THREADS)),
            trusted_hops=given.whole("TRUSTED_HOPS", 0, MOST_HOPS),
            reflection_upstream="reception",
        )
    except ValueError as error:
        raise CannotRun(str(error)) from None


def main() -> int:
    """Write the configuration and hand this process over. Returns the exit code when that is not possible."""
    try:
        wanted = settings(os.environ)
        configuration = Path(tempfile.mkdtemp()) / "gateway.yaml"
        configuration.write_text(render(wanted), encoding="utf-8")
        program, *arguments = command(configuration, wanted.concurrency)
        os.execv(program, [program, *arguments])  # noqa: S606 - no shell is wanted
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
