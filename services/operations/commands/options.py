"""Options that commands share."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from services.operations.catalogue import SERVICES
from services.operations.printing import Output

Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="The system's data folder: `data`, or `data/full` of `make up-full`.  [default: $TABLING_DATA or data]",
        show_default=False,
    ),
]
Format: TypeAlias = Annotated[Output, typer.Option("--output", "-o", help="For people or for scripts.")]


def service(name: str) -> str:
    """A service's name from the command line."""
    if name not in SERVICES:
        raise typer.BadParameter(f"there is no service {name!r}: name one of {', '.join(SERVICES)}")
    return name


Service: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[SERVICE]", parser=service, help="Only this service.", show_default=False)
]
Services: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SERVICE]...", parser=service, help="Only these services.", show_default=False),
]
ServiceOption: TypeAlias = Annotated[
    str | None, typer.Option("--service", parser=service, help="Only this service's.", show_default=False)
]
