"""`make bench ARGS=full`: the whole run, from an empty folder to the tables."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from scripts.bench.compared import Empty, EmptyMethod, empty_method
from scripts.bench.full import aims
from scripts.bench.full.crowd import FEW, FEW_WAITING, fill, measure_costs
from scripts.bench.full.moments import measure_moments
from scripts.bench.full.report import Compared, Report
from scripts.bench.full.rounds import HOT, SPREAD, Case, measure
from scripts.bench.full.rows import Ledgers
from scripts.bench.full.starting import measure_idle, measure_start
from scripts.bench.full.system import System, full_system
from scripts.bench.joins import Parties
from scripts.bench.stores import make_stores

CALLERS = (1, 32, 256, 512)
WAYS = ("unary", "json", "stream")
MOST_IN_A_STREAM = 1600
EMPTY_SECONDS = 1.5
WARM_SECONDS = 1.0
IDLE_SECONDS = 20.0
SLOW_RATE = 20.0
MOMENTS_SECONDS = 10.0


class Bench:
    """One run against one system."""

    def __init__(
        self, system: System, ledgers: Ledgers, empty: EmptyMethod, report: Report, say: Callable[[str], None]
    ) -> None:
        self._system, self._ledgers, self._empty = system, ledgers, empty
        self._report, self._say = report, say
        self._parties = Parties()

    async def run(self, callers: Sequence[int], crowd: int) -> None:
        """Everything, in the order in which the lines grow."""
        report, system, parties = self._report, self._system, self._parties
        self._say("making stores")
        await make_stores(system.targets, system.keys, (FEW, HOT, *SPREAD))
        await fill(system, self._ledgers, parties, (FEW,), FEW_WAITING)
        report.starts.append(await measure_start(system, self._ledgers, parties))
        self._say("idle")
        report.idle_percent = await measure_idle(system, IDLE_SECONDS)
        report.idle_mb = system.tree.memory_mb()
        if crowd:
            await self._crowd((FEW,))
        self._say("warming up")
        for case in cases(max(callers)):
            await measure(system, self._ledgers, parties, case, WARM_SECONDS)
        for number in range(report.rounds):
            for each in callers:
                await self._round(number, cases(each))
        await self._moments()
        if crowd:
            self._say(f"until {crowd:,} wait")
            await fill(system, self._ledgers, parties, (HOT,), crowd)
            await self._crowd((FEW, HOT))
            report.starts.append(await measure_start(system, self._ledgers, parties))
        report.loaded_mb = system.tree.memory_mb()

    async def _round(self, number: int, some: Sequence[Case]) -> None:
        """The cases of as many callers, between two measurements of the empty method."""
        callers = some[0].callers
        self._say(f"round {number + 1} of {self._report.rounds}, {callers} callers: the empty method")
        before = await self._empty.measure(callers, EMPTY_SECONDS)
        done = []
        for case in some:
            self._say(f"round {number + 1} of {self._report.rounds}, {_words(case)}")
            done.append(await measure(self._system, self._ledgers, self._parties, case, self._report.seconds))
        after = await self._empty.measure(callers, EMPTY_SECONDS)
        for case, figures in zip(some, done, strict=True):
            self._report.runs.setdefault(case, []).append(Compared(figures, between(before, after)))

    async def _moments(self) -> None:
        best = self._report.best("unary")
        half = [self._report.middle(best).figures.saga_rate / 2] if best else []
        for rate in (SLOW_RATE, *half):
            self._say(f"{rate:.0f} joins a second")
            self._report.moments.append(
                await measure_moments(self._system, self._ledgers, self._parties, rate, MOMENTS_SECONDS)
            )

    async def _crowd(self, stores: Sequence[str]) -> None:
        self._say("one call at a time")
        costs = await measure_costs(self._system, self._ledgers, self._parties, stores, self._empty.target)
        self._report.crowd.append(costs)


def cases(callers: int) -> list[Case]:
    """All ways with so many joins under way, over all stores and in one; streams are also tried with more."""
    found = [Case(way, callers, is_hot) for way in WAYS for is_hot in (False, True)]
    if callers == max(CALLERS):
        found += [Case("stream", MOST_IN_A_STREAM, is_hot) for is_hot in (False, True)]
    return found


def between(before: Empty, after: Empty) -> Empty:
    """The mean of two measurements."""
    return Empty((before.rate + after.rate) / 2, (before.cpu_us + after.cpu_us) / 2)


def _words(case: Case) -> str:
    return f"{case.callers} callers, {case.way}, {'one store' if case.is_hot else f'{len(SPREAD)} stores'}"


async def run(console: Console, rounds: int, seconds: float, callers: Sequence[int], crowd: int) -> int:
    """Measure and print; gives how many joins were lost, doubled or misnumbered."""
    report = Report(rounds, seconds)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True) as progress, tempfile.TemporaryDirectory() as folder:
            task = progress.add_task("starting the servers", total=None)

            def say(what: str) -> None:
                progress.update(task, description=what)

            async with full_system(Path(folder)) as system, empty_method() as empty:
                ledgers = Ledgers(system.databases)
                try:
                    await Bench(system, ledgers, empty, report, say).run(callers, crowd)
                finally:
                    await ledgers.close()
    finally:
        # also what there is when somebody ends it early
        if report.runs:
            report.print(console)
            console.print(aims.shown(report))
    return report.faults
