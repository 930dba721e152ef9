"""`python -m services.local.gateway_main`: becomes Envoy, for a container of its own.

`TABLING_GATEWAY_LISTEN` is host:port, `TABLING_<SERVICE>_TARGET` where each service is found.
"""

import os
import tempfile
from pathlib import Path

from services.chassis.settings import Variables, from_environment
from services.local.commands import DESCRIPTORS
from services.local.gateway import GatewaySettings, command, render


def main() -> None:
    """Write the configuration and hand this process over. Raises `CannotRun`."""
    host, _, port = Variables("gateway", os.environ).address("LISTEN", "127.0.0.1:8080").rpartition(":")
    settings = GatewaySettings(
        descriptors=DESCRIPTORS,
        upstreams=from_environment("reception", os.environ).upstreams,
        listen_host=host,
        listen_port=int(port),
        reflection_upstream="reception",
    )
    configuration = Path(tempfile.mkdtemp()) / "gateway.yaml"
    configuration.write_text(render(settings), encoding="utf-8")
    program, *arguments = command(configuration, settings.concurrency)
    os.execv(program, [program, *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
