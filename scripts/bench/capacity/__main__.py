"""`python -m scripts.bench.capacity`: what a saga costs, what it leaves behind, and the machines for a load."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from scripts.bench.capacity.model import FILE, shipped
from scripts.bench.capacity.tables import all_tables, filled
from scripts.bench.child import ROOT

DOCUMENT = Path(ROOT) / "docs" / "scaling.md"


def main(
    measure: Annotated[bool, typer.Option("--measure", help="Measure first: about two minutes, both cores.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Put the tables into docs/scaling.md.")] = False,
) -> None:
    """Print the tables of docs/scaling.md."""
    if measure:
        from scripts.bench.capacity.measuring import measure as run

        found = asyncio.run(run(lambda what: typer.echo(f"{what} …", err=True)))
        FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    model = shipped()
    for table in all_tables(model).values():
        print(table, end="\n\n")
    if write:
        DOCUMENT.write_text(filled(DOCUMENT.read_text("utf-8"), model), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
