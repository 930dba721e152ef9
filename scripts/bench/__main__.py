"""`make bench`: how fast the system is, as a ratio to an empty gRPC method in the same run."""

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.bench.cold import TIMES, measure_cold_starts
from scripts.bench.embedded import Measured, measure_round

CALLERS = (1, 32, 256)

console = Console(width=180)
app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def embedded(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(help="Rounds; the table shows the median of each figure.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of joining per round.")] = 5.0,
    callers: Annotated[list[int] | None, typer.Option(help="Concurrent callers; may be given again.")] = None,
    starts: Annotated[int, typer.Option(help="Cold starts of each service; 0 leaves them out.")] = TIMES,
    against: Annotated[
        Path | None, typer.Option(help="Another checkout, generated: both are measured in turn.")
    ] = None,
) -> None:
    """Drive joins through gRPC against a fresh embedded system, start each service, and print tables.

    `full`: against the full mode.
    """
    if context.invoked_subcommand is None:
        asyncio.run(_bench(rounds, seconds, tuple(callers or CALLERS), starts, against and against.resolve()))


@app.command()
def full(
    rounds: Annotated[int, typer.Option(help="Rounds; the tables show the medians.")] = 1,
    seconds: Annotated[float, typer.Option(help="Seconds of joining per run; there are 26 in a round.")] = 3.0,
    callers: Annotated[list[int] | None, typer.Option(help="Concurrent callers; may be given again.")] = None,
    crowd: Annotated[int, typer.Option(help="Parties that wait at the end; 0 leaves that part out.")] = 100_000,
) -> None:
    """Drive joins through gRPC, JSON and streams against RabbitMQ, PostgreSQL and MariaDB, and count the rows."""
    from scripts.bench.full import command

    if asyncio.run(command.run(console, rounds, seconds, tuple(callers or command.CALLERS), crowd)):
        console.print("[bold red]Joins were lost, doubled or misnumbered, or parties were not told: see above.")
        raise typer.Exit(1)


async def _bench(rounds: int, seconds: float, all_callers: tuple[int, ...], starts: int, against: Path | None) -> None:
    measured: dict[int, list[Measured]] = {callers: [] for callers in all_callers}
    others: dict[int, list[Measured]] = {callers: [] for callers in all_callers}
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with (
        Progress(*columns, console=console, transient=True) as progress,
        tempfile.TemporaryDirectory() as folder,
    ):
        task = progress.add_task("", total=None)
        for number in range(rounds):
            for callers in all_callers:
                progress.update(task, description=f"round {number + 1} of {rounds}, {callers} callers")
                data = Path(folder) / f"{number}-{callers}"
                measured[callers].append(await measure_round(data, callers, seconds))
                if against:
                    progress.update(task, description=f"round {number + 1} of {rounds}, {callers} callers, {against}")
                    other = Path(folder) / f"{number}-{callers}-other"
                    others[callers].append(await measure_round(other, callers, seconds, against))
        progress.update(task, description="cold starts")
        (fresh := Path(folder) / "cold").mkdir()
        cold = await measure_cold_starts(fresh, starts) if starts else None
    console.print(_table(measured, rounds, seconds))
    _print_processes(measured)
    if against:
        console.print(_comparison(measured, others, against))
    if cold:
        console.print(cold.table())


def _table(measured: dict[int, list[Measured]], rounds: int, seconds: float) -> Table:
    title = f"Embedded mode, medians of {rounds} rounds of {seconds:g} s; ratios are taken within each round"
    table = Table(title=title, title_justify="left")
    names = (
        "callers",
        "empty method/s",
        "accepted joins/s",
        "complete sagas/s",
        "sagas ÷ empty",
        "answer p50/p99 ms",
    )
    for name in (*names, "saga p50/p99 ms", "CPU µs/join (÷ empty)", "lost", "doubled"):
        table.add_column(name, justify="right")
    for callers, runs in measured.items():
        table.add_row(str(callers), *_row(runs))
    return table


def _comparison(measured: dict[int, list[Measured]], others: dict[int, list[Measured]], against: Path) -> Table:
    table = Table(title=f"This one ÷ {against}, medians of the ratios of each round", title_justify="left")
    for name in ("callers", "accepted joins/s", "complete sagas/s", "answer p50", "answer p99", "CPU/join"):
        table.add_column(name, justify="right")
    for callers, runs in measured.items():
        pairs = list(zip(runs, others[callers], strict=True))
        ratios = (
            [one.accepted_rate / other.accepted_rate for one, other in pairs],
            [one.saga_rate / other.saga_rate for one, other in pairs],
            *([one.answer_ms[at] / other.answer_ms[at] for one, other in pairs] for at in (0, 1)),
            [one.cpu_us / other.cpu_us for one, other in pairs],
        )
        table.add_row(str(callers), *(f"{median(each):.2f}" for each in ratios))
    return table


def _row(runs: list[Measured]) -> tuple[str, ...]:
    return (
        f"{median([r.empty_rate for r in runs]):,.0f}",
        f"{median([r.accepted_rate for r in runs]):,.0f}",
        f"{median([r.saga_rate for r in runs]):,.0f}",
        f"{median([r.saga_rate / r.empty_rate for r in runs]):.2f}",
        f"{median([r.answer_ms[0] for r in runs]):.1f} / {median([r.answer_ms[1] for r in runs]):.1f}",
        f"{median([r.saga_ms[0] for r in runs]):.1f} / {median([r.saga_ms[1] for r in runs]):.1f}",
        f"{median([r.cpu_us for r in runs]):,.0f} ({median([r.cpu_us / r.empty_cpu_us for r in runs]):.1f})",
        str(sum(r.lost for r in runs)),
        str(sum(r.doubled for r in runs)),
    )


def _print_processes(measured: dict[int, list[Measured]]) -> None:
    runs = [run for runs in measured.values() for run in runs]
    table = Table(title="Memory and start, largest of all rounds", title_justify="left")
    for name in (*runs[0].memory_mb, "all processes", "services SERVING after", "whole system after"):
        table.add_column(name, justify="right")
    table.add_row(
        *(f"{max(run.memory_mb[name] for run in runs):.0f} MB" for name in runs[0].memory_mb),
        f"{max(sum(run.memory_mb.values()) for run in runs):.0f} MB",
        f"{max(run.serving_after for run in runs):.2f} s",
        f"{max(run.ready_after for run in runs):.2f} s",
    )
    console.print(table)


if __name__ == "__main__":
    app()
