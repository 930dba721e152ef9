"""`python -m services.local.gateway_main`: becomes Envoy, for a container of its own.

`TABLING_GATEWAY_LISTEN` is host:port, `TABLING_<SERVICE>_TARGET` where each service is found, `TABLING_KEY` (or a file,
`TABLING_KEY_FILE`) this installation's key, `TABLING_GATEWAY_JWKS` the file or the address with the keys of who issues
tokens. These may be left out: `TABLING_GATEWAY_ISSUER` (who that is),
`TABLING_GATEWAY_BALANCED` (on: each target is one address behind which others balance), `_CORS_ORIGINS` (with commas
between), `_ACCESS_LOG` (a file, such as /dev/stdout), `_REFLECTION` (on: gRPC reflection is answered),
`_TRUSTED_HOPS`, `_CONCURRENCY` and `_ADMIN_PORT`.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from services.chassis.running import CannotRun
from services.chassis.settings import SettingsError, Variables, upstreams
from services.local.commands import DESCRIPTORS
from services.local.gateway import command, raise_open_files, render
from services.local.gateway_settings import ISSUER, KEY_VARIABLE, GatewaySettings, Issuer, Limits

MOST_HOPS = 8
MOST_THREADS = 256
HIGHEST_PORT = 65_535
OURSELVES = ("localhost", "127.0.0.1", "::1")

MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where a container is told how much memory it may use."""

HEAP_SHARE = 0.6
"""Of that memory; the rest is Envoy's code, and what its allocator keeps."""


def settings(environment: Mapping[str, str]) -> GatewaySettings:
    """What the environment says. Raises `CannotRun`."""
    given = Variables("gateway", environment)
    host, _, port = given.address("LISTEN", "127.0.0.1:8080").rpartition(":")
    log = given.text("ACCESS_LOG", "")
    try:
        return GatewaySettings(
            descriptors=DESCRIPTORS,
            upstreams=upstreams(given),
            issuer=Issuer(name=given.text("ISSUER", ISSUER), jwks=_jwks(given)),
            key=given.keys()[0],
            listen_host=host,
            listen_port=int(port),
            admin_port=given.whole("ADMIN_PORT", 0, HIGHEST_PORT),
            balanced=given.switch("BALANCED", "off"),
            cors_origins=tuple(filter(None, map(str.strip, given.text("CORS_ORIGINS", "").split(",")))),
            access_log=Path(log) if log else None,
            concurrency=max(1, given.whole("CONCURRENCY", 1, MOST_THREADS)),
            trusted_hops=given.whole("TRUSTED_HOPS", 0, MOST_HOPS),
            reflection_upstream="reception" if given.switch("REFLECTION", "off") else None,
            limits=limits(MEMORY_LIMIT),
        )
    except ValueError as error:
        raise CannotRun(str(error)) from None


def limits(memory_limit: Path) -> Limits:
    """The usual ones, within what this container may use."""
    told = memory_limit.read_text().strip() if memory_limit.exists() else "max"
    usual = Limits()
    return usual if told == "max" else replace(usual, heap_bytes=min(usual.heap_bytes, int(int(told) * HEAP_SHARE)))


def _jwks(given: Variables) -> Path | str:
    """Where the issuer's keys are. There is no way to do without; whoever changed them on the way could be anybody."""
    told = given.text("JWKS", "")
    if not told or (told.startswith("http://") and urlsplit(told).hostname not in OURSELVES):
        raise SettingsError("TABLING_GATEWAY_JWKS must name the file or the https:// address with the issuer's keys")
    return told if told.startswith(("http://", "https://")) else Path(told)


def main() -> int:
    """Write the configuration and hand this process over. Returns the exit code when that is not possible."""
    try:
        wanted = settings(os.environ)
        configuration = Path(tempfile.mkdtemp()) / "gateway.yaml"
        configuration.write_text(render(wanted), encoding="utf-8")
        program, *arguments = command(configuration, wanted.concurrency)
        environment = {**os.environ, KEY_VARIABLE: wanted.key}
        raise_open_files()
        os.execve(program, [program, *arguments], environment)  # noqa: S606 - no shell is wanted
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
