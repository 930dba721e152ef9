"""The command line of the embedded system."""

import argparse
import importlib.util
import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from services.chassis import logs
from services.chassis.running import CannotRun, run
from services.chassis.settings import Variables
from services.embedded import folder
from services.embedded.app import DESCRIPTORS, Ready, up
from services.embedded.settings import EmbeddedSettings

DEFAULTS = EmbeddedSettings()


class NoContracts(CannotRun):
    """The code made from the protos is not there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return {"check": _check, "reset": _reset, None: _up}[options.command](options)
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.embedded",
        usage="%(prog)s [options] [check | reset]",
        description="Tabling on one machine, without root or Docker: runs in the foreground until Ctrl-C.",
        allow_abbrev=False,
    )
    _add_data(parser, default=DEFAULTS.data)
    most = 65535
    ports = (
        ("--port", DEFAULTS.port, most, "of the gateway: JSON and gRPC"),
        ("--first-port", DEFAULTS.first_port, most - len(DEFAULTS.targets) + 1, "of the services: five in a row"),
        ("--kakao-port", DEFAULTS.kakao_port, most, "of the stand-in for KakaoTalk"),
    )
    for option, default, highest, what in ports:
        kind = _Port(highest)
        parser.add_argument(option, type=kind, default=default, metavar="PORT", help=f"{what} (default: {default})")
    on_or_off = argparse.BooleanOptionalAction
    parser.add_argument("--demo", action=on_or_off, default=True, help="make the demo stores")
    parser.add_argument("--gateway", action=on_or_off, default=True, help="start the gateway, too")
    commands = parser.add_subparsers(dest="command", title="commands")
    check = commands.add_parser("check", help="look for contradictions in the data")
    check.add_argument("--moving", action="store_true", help="events and timers may be under way")
    reset = commands.add_parser("reset", help="delete the data; the next start begins afresh")
    for command in (check, reset):
        _add_data(command, default=argparse.SUPPRESS)
    return parser


def _add_data(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument("--data", type=Path, default=default, metavar="FOLDER", help="keeps the data (default: data)")


class _Port:
    """Reads a port number."""

    def __init__(self, highest: int) -> None:
        self._highest = highest

    def __call__(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= self._highest):
            raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to {self._highest}")
        return int(text)


def _up(options: argparse.Namespace) -> int:
    process_start = time.monotonic() - _age_seconds()
    _require_contracts()
    logs.configure(Variables("embedded", os.environ).log_level("WARNING"))
    settings = EmbeddedSettings(
        data=options.data.resolve(),
        port=options.port,
        first_port=options.first_port,
        kakao_port=options.kakao_port,
        demo=options.demo,
        gateway=options.gateway,
    )
    return run(lambda stop: up(settings, os.environ, stop, _tell, process_start))


def _reset(options: argparse.Namespace) -> int:
    deleted = folder.reset(options.data.resolve())
    print(f"Deleted {options.data}." if deleted else f"Nothing to delete: there is no {options.data}.")
    return 0


def _check(options: argparse.Namespace) -> int:
    from services.embedded.invariants import violations

    moving = options.moving or folder.in_use(options.data)
    try:
        found = violations(options.data, quiescent=not moving)
    except sqlite3.DatabaseError as error:
        found = [f"the databases in {options.data} cannot be read: {error}"]
    for violation in found:
        print(violation)
    seen = "a system that is moving" if moving else "a system at rest"
    print(f"{options.data}, looked at as {seen}: {len(found) or 'no'} violation{'' if len(found) == 1 else 's'}.")
    return 1 if found else 0


def _age_seconds() -> float:
    """Seconds since this process began, shell script and interpreter included."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return time.process_time()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def _require_contracts() -> None:
    if not DESCRIPTORS.exists():
        raise NoContracts(f"{DESCRIPTORS.parent} is missing or not whole: type scripts/generate")
    if importlib.util.find_spec("tabling") is None:
        raise NoContracts(f"{DESCRIPTORS.parent} is not on the path of {sys.executable}: type scripts/up")


def _tell(ready: Ready) -> None:
    settings = ready.settings
    gateway = f"http://127.0.0.1:{settings.port}"
    rows = [("gateway (JSON and gRPC)", gateway), ("try", f"curl '{gateway}/v1/storeViews:search?openNow=true'")]
    if not settings.gateway:
        rows = []
    rows.append(("KakaoTalk inbox", f"http://127.0.0.1:{settings.kakao_port}/inbox"))
    rows.extend((f"{name} (gRPC)", target) for name, target in settings.targets.items())
    rows.append(("data", str(settings.data)))
    rows.append(("started", f"services {ready.serving_after:.2f} s, all {ready.ready_after:.2f} s"))
    lines = (f"  {label:<24}  {value}" for label, value in rows)
    print("Tabling is up", *lines, sep="\n")
    print("Ctrl-C stops it. The next start goes on from here; `scripts/reset` deletes the data.", flush=True)
