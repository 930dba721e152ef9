"""The command line of the full system."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from functools import partial

from sqlalchemy import make_url

from services.chassis import logs
from services.chassis.database.address import shown
from services.chassis.running import CannotRun, run
from services.chassis.settings import PORTS, Variables
from services.full.app import Ready, up
from services.full.infrastructure import POSTGRESQL
from services.full.servers import away
from services.full.settings import METRICS_PORTS_ABOVE, FullSettings
from services.local import certificates
from services.local.commands import add_data, add_port, process_start, require_contracts, reset, tell_up

DEFAULTS = FullSettings()
MOST_REPLICAS = 9


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return {"reset": _reset, None: _up}[options.command](options)
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.full",
        usage="%(prog)s [options] [reset]",
        description="Tabling on one machine on RabbitMQ, PostgreSQL and MariaDB: runs in the foreground until Ctrl-C. "
        "Servers that TABLING_BUS and TABLING_<SERVICE>_DATABASE name are used; the others are started.",
        allow_abbrev=False,
    )
    data = partial(add_data, shown=DEFAULTS.data)
    data(parser, default=DEFAULTS.data)
    add_port(parser, "--port", DEFAULTS.port, "of the gateway: JSON and gRPC, by TLS")
    count = METRICS_PORTS_ABOVE + len(PORTS) * MOST_REPLICAS
    what = f"of the services: one after the other, and {METRICS_PORTS_ABOVE} above them their metrics"
    add_port(parser, "--first-port", DEFAULTS.first_port, what, in_a_row=count)
    add_port(parser, "--kakao-port", DEFAULTS.kakao_port, "of the stand-in for KakaoTalk")
    parser.add_argument(
        "--replicas",
        type=int,
        choices=range(1, MOST_REPLICAS + 1),
        default=DEFAULTS.replicas,
        metavar="NUMBER",
        help=f"processes of each service (default: {DEFAULTS.replicas})",
    )
    parser.add_argument("--demo", action=argparse.BooleanOptionalAction, default=True, help="make the demo stores")
    commands = parser.add_subparsers(dest="command", title="commands")
    data(commands.add_parser("reset", help="delete the data; the next start begins afresh"), default=argparse.SUPPRESS)
    return parser


def _up(options: argparse.Namespace) -> int:
    begun = process_start()
    require_contracts()
    logs.configure(Variables("full", os.environ).log_level("WARNING"))
    settings = FullSettings(
        data=options.data.resolve(),
        port=options.port,
        first_port=options.first_port,
        kakao_port=options.kakao_port,
        demo=options.demo,
        replicas=options.replicas,
    )
    return run(lambda stop: up(settings, os.environ, stop, _tell, begun))


def _reset(options: argparse.Namespace) -> int:
    reset(options.data, before=lambda: away.erase(options.data.resolve() / POSTGRESQL))
    return 0


def _tell(ready: Ready) -> None:
    settings = ready.settings
    gateway = f"https://127.0.0.1:{settings.port}"
    authority = certificates.authority(settings.data)
    rows = [
        ("gateway (JSON and gRPC)", gateway),
        ("whom to trust", str(authority)),
        ("try", f"curl --cacert {shlex.quote(str(authority))} '{gateway}/v1/storeViews:search?openNow=true'"),
        ("tokens", f"scripts/token operator --data {settings.data}, and so on"),
        ("KakaoTalk inbox", f"{settings.kakao_url}/inbox"),
    ]
    rows.extend((f"{name} (gRPC)", places.replace(",", " ")) for name, places in settings.targets.items())
    rows.append(("RabbitMQ", make_url(ready.addresses["TABLING_BUS"]).render_as_string(hide_password=True)))
    databases = {name: ready.addresses[f"TABLING_{name.upper()}_DATABASE"] for name in PORTS}
    rows.extend((f"{name}'s database", shown(address)) for name, address in databases.items())
    rows.append(("metrics", f"http://{settings.processes[0].metrics_address}/metrics, and so on"))
    rows.append(("data, logs, passwords", str(settings.data)))
    rows.append(("started", f"servers {ready.servers_after:.2f} s, all {ready.ready_after:.2f} s"))
    tell_up(rows)
