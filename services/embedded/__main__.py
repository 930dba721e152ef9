"""`python -m services.embedded`: run the embedded system, or reset its data."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.chassis import logs, process
from services.chassis.grpc_server import AddressInUse
from services.chassis.settings import SettingsError
from services.embedded import folder
from services.embedded.app import EmbeddedSettings, Ready, up

# the moment the interpreter took us up; imports before it are part of the start too
START = time.monotonic() - time.process_time()

cli = typer.Typer(add_completion=False, help="Tabling on one machine: no root, no Docker.")
console = Console(soft_wrap=True)

Data = Annotated[Path, typer.Option(help="Folder that keeps the data from start to start.")]


@cli.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    data: Data = Path("data"),
    port: Annotated[int, typer.Option(help="Port of the gateway: JSON and gRPC.")] = 8080,
    first_port: Annotated[int, typer.Option(help="First of the five services' own gRPC ports.")] = 9101,
    kakao_port: Annotated[int, typer.Option(help="Port of the stand-in for KakaoTalk.")] = 9190,
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Seed the demo stores.")] = True,
    gateway: Annotated[bool, typer.Option("--gateway/--no-gateway", help="Start the gateway too.")] = True,
) -> None:
    """Run the system in the foreground until Ctrl-C."""
    if context.invoked_subcommand:
        return
    settings = EmbeddedSettings(
        data=data.resolve(), port=port, first_port=first_port, kakao_port=kakao_port, demo=demo, gateway=gateway
    )
    logs.configure(os.environ.get("TABLING_LOG_LEVEL", "WARNING").upper())
    raise typer.Exit(_guarded(settings))


@cli.command()
def reset(data: Data = Path("data")) -> None:
    """Delete all data; the next start begins afresh."""
    try:
        deleted = folder.reset(data.resolve())
    except (folder.FolderInUse, folder.NotOurFolder) as error:
        raise typer.Exit(_complain(error)) from None
    console.print(f"Deleted {data}." if deleted else f"Nothing to delete: there is no {data}.")


def _guarded(settings: EmbeddedSettings) -> int:
    code = 0
    try:
        code = process.run(lambda stop: up(settings, os.environ, stop, _tell, START))
    except* (AddressInUse, SettingsError, folder.FolderInUse, folder.NotOurFolder) as group:
        for error in group.exceptions:
            code = _complain(error)
    return code


def _complain(error: BaseException) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 1


def _tell(ready: Ready) -> None:
    settings = ready.settings
    table = Table(title="Tabling is up", title_justify="left", show_header=False, box=None, pad_edge=False)
    gateway = f"http://127.0.0.1:{settings.port}"
    if settings.gateway:
        table.add_row("gateway (JSON and gRPC)", gateway)
        table.add_row("try", f"curl '{gateway}/v1/storeViews:search?openNow=true'")
    table.add_row("KakaoTalk inbox", f"http://127.0.0.1:{settings.kakao_port}/inbox")
    for name, target in settings.targets.items():
        table.add_row(f"{name} (gRPC)", target)
    table.add_row("data", str(settings.data))
    table.add_row("started", f"services {ready.serving_after:.2f} s, all {ready.ready_after:.2f} s")
    console.print(table)
    console.print("Ctrl-C stops it. The next start goes on from here; `scripts/reset` deletes the data.")


if __name__ == "__main__":
    cli()
