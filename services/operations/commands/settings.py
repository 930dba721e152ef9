"""`settings`: every setting of every service, and where it comes from."""

from collections.abc import Iterator

from services.operations import printing
from services.operations.asked import asked
from services.operations.catalogue import chosen
from services.operations.commands.options import Data, Format, Service
from services.operations.printing import Output
from services.operations.surroundings import Surroundings, surroundings


def settings(service: Service = None, data: Data = None, output: Format = Output.TABLE) -> None:
    """Every setting of every service, its value, and where it comes from. Passwords and keys are left out."""
    around = surroundings(data)
    found = [row for name in chosen(service) for row in _of(name, around)]
    printing.rows(output, ("service", "variable", "value", "origin"), found, "no service is here")


def _of(service: str, around: Surroundings) -> Iterator[dict[str, str]]:
    around.settings(service)  # raises for a value that is none
    for variable, value in asked(service, around).items():
        shown = "…" if value and variable.endswith("KEY") else printing.masked(str(value))
        yield {"service": service, "variable": variable, "value": shown, "origin": around.origin(variable)}
