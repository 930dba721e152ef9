"""The command line of the embedded system."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from services.chassis import logs
from services.chassis.running import CannotRun, run
from services.chassis.settings import Variables
from services.embedded.app import Ready, up
from services.embedded.settings import EmbeddedSettings
from services.local.commands import add_data, add_port, process_start, require_contracts, reset, tell_up

DEFAULTS = EmbeddedSettings()


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
        prog="python -m services.embedded",
        usage="%(prog)s [options] [reset]",
        description="Tabling on one machine, without root or Docker: runs in the foreground until Ctrl-C.",
        allow_abbrev=False,
    )
    data = partial(add_data, shown=DEFAULTS.data)
    data(parser, default=DEFAULTS.data)
    add_port(parser, "--port", DEFAULTS.port, "of the gateway: JSON and gRPC")
    count = len(DEFAULTS.targets)
    add_port(parser, "--first-port", DEFAULTS.first_port, "of the services: five in a row", in_a_row=count)
    add_port(parser, "--kakao-port", DEFAULTS.kakao_port, "of the stand-in for KakaoTalk")
    on_or_off = argparse.BooleanOptionalAction
    parser.add_argument("--demo", action=on_or_off, default=True, help="make the demo stores")
    parser.add_argument("--gateway", action=on_or_off, default=True, help="start the gateway, too")
    commands = parser.add_subparsers(dest="command", title="commands")
    data(commands.add_parser("reset", help="delete the data; the next start begins afresh"), default=argparse.SUPPRESS)
    return parser


def _up(options: argparse.Namespace) -> int:
    begun = process_start()
    require_contracts()
    logs.configure(Variables("embedded", os.environ).log_level("WARNING"))
    settings = EmbeddedSettings(
        data=options.data.resolve(),
        port=options.port,
        first_port=options.first_port,
        kakao_port=options.kakao_port,
        demo=options.demo,
        gateway=options.gateway,
    )
    return run(lambda stop: up(settings, os.environ, stop, _tell, begun))


def _reset(options: argparse.Namespace) -> int:
    reset(options.data)
    return 0


def _tell(ready: Ready) -> None:
    settings = ready.settings
    gateway = f"http://127.0.0.1:{settings.port}"
    rows = [("gateway (JSON and gRPC)", gateway), ("try", f"curl '{gateway}/v1/storeViews:search?openNow=true'")]
    if not settings.gateway:
        rows = []
    rows.append(("KakaoTalk inbox", f"http://127.0.0.1:{settings.kakao_port}/inbox"))
    rows.extend((f"{name} (gRPC)", target) for name, target in settings.targets.items())
    rows.append(("tokens", f"scripts/token operator --data {settings.data}, and so on"))
    rows.append(("data", str(settings.data)))
    rows.append(("started", f"services {ready.serving_after:.2f} s, all {ready.ready_after:.2f} s"))
    tell_up(rows)
