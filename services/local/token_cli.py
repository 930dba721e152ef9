"""`scripts/token`: tokens for the system in a data folder, signed with its own key."""

import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from services.chassis.running import CannotRun
from services.local.gateway_settings import Limits
from services.local.keys import LIFETIME, known


class StaffRole(StrEnum):
    """What staff may be."""

    HOST = "host"
    MANAGER = "manager"


LONGEST_HOURS = Limits().token_seconds / 3600
AN_HOUR = timedelta(hours=1)

Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="The system's data folder: `data`, or `data/full` of `make up-full`.  [default: $TABLING_DATA or data]",
        show_default=False,
    ),
]
Hours: TypeAlias = Annotated[float, typer.Option(min=0.001, max=LONGEST_HOURS, help="How long it is good for.")]
Stores: TypeAlias = Annotated[list[str], typer.Option("--store", metavar="ID", help="Of which store; of several.")]
Customers: TypeAlias = Annotated[str, typer.Option(metavar="PREFIX", help="How the ids of its customers begin.")]

app = typer.Typer(
    name="scripts/token",
    help="Prints a token for trying the system on this machine; requests show it as `authorization: Bearer …`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def customer(
    name: Annotated[str, typer.Argument(metavar="[ID]", help="Which one.")] = "demo",
    data: Data = None,
    hours: Hours = LIFETIME / AN_HOUR,
) -> None:
    """For a customer: what is theirs."""
    _tell(data, hours, "tabling-customer", name)


@app.command()
def staff(
    store: Stores,
    role: Annotated[StaffRole, typer.Option(help="Managers also set up tables and the store.")] = StaffRole.MANAGER,
    name: Annotated[str, typer.Option(metavar="ID", help="Who; the audit trail tells.")] = "demo",
    data: Data = None,
    hours: Hours = LIFETIME / AN_HOUR,
) -> None:
    """For somebody who works for a store."""
    _tell(data, hours, "tabling-staff", name, stores=store, role=role.value)


@app.command()
def operator(
    name: Annotated[str, typer.Option(metavar="ID", help="Who; the audit trail tells.")] = "demo",
    data: Data = None,
    hours: Hours = LIFETIME / AN_HOUR,
) -> None:
    """For who runs the system: new stores, all stores, notices."""
    _tell(data, hours, "tabling-operator", name)


@app.command()
def backend(
    customers: Customers,
    name: Annotated[str, typer.Option(metavar="ID", help="Which one.")] = "demo",
    data: Data = None,
    hours: Hours = LIFETIME / AN_HOUR,
) -> None:
    """For a server that acts for its own customers."""
    _tell(data, hours, "tabling-backend", name, customers=customers)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    try:
        app(arguments, prog_name="scripts/token")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _tell(data: Path | None, hours: float, audience: str, subject: str, **claims: Any) -> None:
    folder = data if data is not None else Path(os.environ.get("TABLING_DATA", "data"))
    print(known(folder).token(audience, subject, hours * AN_HOUR, **claims))


if __name__ == "__main__":
    sys.exit(main())
