"""`doctor`: what is wrong with settings and surroundings, and what to do about it."""

import asyncio
from dataclasses import asdict

import typer

from services.operations import printing
from services.operations.commands.options import Data, Format
from services.operations.doctor.finding import Finding, Severity
from services.operations.printing import Output, counted
from services.operations.surroundings import Surroundings, surroundings


def doctor(data: Data = None, output: Format = Output.TABLE) -> None:
    """Look for wrong settings and surroundings, and tell what to do about each. Nothing is changed."""
    found = asyncio.run(_look(surroundings(data)))
    if output is Output.JSON:
        printing.whole([asdict(finding) for finding in found])
    else:
        for finding in found:
            print(f"{finding.severity}: {finding.where}: {finding.what}\n       fix: {finding.fix}")
        counts = {severity: sum(finding.severity is severity for finding in found) for severity in Severity}
        print(", ".join(counted(number, severity, (severity,)) for severity, number in counts.items()))
    raise typer.Exit(1 if any(finding.severity is Severity.WRONG for finding in found) else 0)


async def _look(around: Surroundings) -> list[Finding]:
    """Everything, the worst first."""
    from services.operations.doctor.probes import PROBES  # with libraries that are loaded only to be used

    found = [finding for probe in PROBES async for finding in probe(around)]
    return sorted(found, key=lambda finding: list(Severity).index(finding.severity))
