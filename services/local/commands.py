"""What the command lines share: options, what must be there before anything starts, what is told at the end."""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from services.chassis.running import CannotRun
from services.local import folder

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "tabling.pb"
HIGHEST_PORT = 65535


class NoContracts(CannotRun):
    """The code made from the protos is not there."""


class _Port:
    """Reads a port number."""

    def __init__(self, highest: int) -> None:
        self._highest = highest

    def __call__(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= self._highest):
            raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to {self._highest}")
        return int(text)


def add_port(parser: argparse.ArgumentParser, option: str, default: int, what: str, *, in_a_row: int = 1) -> None:
    """An option for a port, or for the first one of several."""
    kind = _Port(HIGHEST_PORT - in_a_row + 1)
    parser.add_argument(option, type=kind, default=default, metavar="PORT", help=f"{what} (default: {default})")


def add_data(parser: argparse.ArgumentParser, shown: Path, default: object) -> None:
    """The option for the data folder."""
    text = f"keeps the data (default: {shown})"
    parser.add_argument("--data", type=Path, default=default, metavar="FOLDER", help=text)


def require_contracts() -> None:
    """Raises `NoContracts` when gen/ is not made, or not importable."""
    if not DESCRIPTORS.exists():
        raise NoContracts(f"{DESCRIPTORS.parent} is missing or not whole: type scripts/generate")
    if importlib.util.find_spec("tabling") is None:
        raise NoContracts(f"{DESCRIPTORS.parent} is not on the path of {sys.executable}: type scripts/up")


def process_start() -> float:
    """When this process began, shell script and interpreter included, in monotonic seconds."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return time.monotonic() - time.process_time()
    return time.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def reset(data: Path, before: Callable[[], None] = lambda: None) -> None:
    """Delete the data folder, having called `before` when nobody uses it, and tell. Raises `CannotRun`."""
    deleted = folder.reset(data.resolve(), before)
    print(f"Deleted {data}." if deleted else f"Nothing to delete: there is no {data}.")


def tell_up(rows: Iterable[tuple[str, str]]) -> None:
    """Tell that the system is up, and where everything is."""
    print("Tabling is up", *(f"  {label:<24}  {value}" for label, value in rows), sep="\n")
    print("Ctrl-C stops it. The next start goes on from here; `scripts/reset` deletes the data.", flush=True)
