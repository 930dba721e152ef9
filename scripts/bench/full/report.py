"""The figures as tables."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table

from scripts.bench.compared import Empty
from scripts.bench.full.crowd import FEW, Costs
from scripts.bench.full.moments import Moments
from scripts.bench.full.rounds import HOT, Case, Figures
from scripts.bench.full.starting import Start


@dataclass(frozen=True, slots=True)
class Compared:
    """A run, and the empty method right before and after it."""

    figures: Figures
    empty: Empty

    @property
    def ratio(self) -> float:
        """Complete sagas a second ÷ calls of the empty method a second."""
        return self.figures.saga_rate / self.empty.rate

    @property
    def cpu_ratio(self) -> float:
        """CPU of a saga ÷ CPU of an empty call."""
        return self.figures.total_cpu_us / self.empty.cpu_us


@dataclass
class Report:
    """All that was measured."""

    rounds: int
    seconds: float
    runs: dict[Case, list[Compared]] = field(default_factory=dict)
    moments: list[Moments] = field(default_factory=list)
    idle_percent: Mapping[str, float] = field(default_factory=dict)
    idle_mb: Mapping[str, float] = field(default_factory=dict)
    loaded_mb: Mapping[str, float] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    crowd: list[Costs] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Lost, doubled and misnumbered joins of all runs, and parties that were told nothing."""
        runs = [run.figures for some in self.runs.values() for run in some]
        return sum(run.lost + run.doubled + run.out_of_order for run in runs) + sum(
            each.untold for each in self.moments
        )

    def middle(self, case: Case) -> Compared:
        """The run with the median ratio."""
        runs = sorted(self.runs[case], key=lambda run: run.ratio)
        return runs[len(runs) // 2]

    def best(self, way: str) -> Case | None:
        """The way's case of many stores with the most sagas a second; None when there is none."""
        cases = [case for case in self.runs if case.way == way and not case.is_hot]
        return max(cases, key=lambda case: self.middle(case).figures.saga_rate, default=None)

    def hot_ratio(self, case: Case) -> float:
        """Sagas a second in one store ÷ those over all stores, both by the empty method."""
        hot, spread = (self.runs[Case(case.way, case.callers, is_hot)] for is_hot in (True, False))
        return median(one.ratio / all_.ratio for one, all_ in zip(hot, spread, strict=True))

    def slower(self, what: str, store_id: str) -> float:
        """How much longer something takes in this store when many wait than where few did, by the empty method."""
        few, many = self.crowd
        return many.ms[store_id][what] / few.ms[FEW][what] / (many.empty_ms / few.empty_ms)

    def print(self, console: Console) -> None:
        """Everything."""
        console.print(self._joining())
        console.print(self._split())
        console.print(self._moments())
        console.print(self._processes())
        if len(self.crowd) == 2:
            console.print(self._crowd())

    def _joining(self) -> Table:
        shown = table(
            f"Full mode, medians of {self.rounds} rounds of {self.seconds:g} s; a saga is complete when every database "
            "has its rows and the notice is with the vendor",
            "joins as", "callers", "stores", "empty/s", "accepted/s", "sagas/s", "÷ empty", "hot ÷ spread",
            "answer p50 / p99 ms", "CPU µs/saga (÷ empty)", "lost", "doubled", "misnumbered", "refused",
        )  # fmt: skip
        for case, runs in self.runs.items():
            run = self.middle(case)
            figures = run.figures
            shown.add_row(
                case.way,
                str(case.callers),
                "1" if case.is_hot else str(len(case.stores)),
                f"{run.empty.rate:,.0f}",
                f"{figures.accepted_rate:,.0f}",
                f"{figures.saga_rate:,.0f}",
                f"{run.ratio:.2f}",
                f"{self.hot_ratio(case):.2f}" if case.is_hot else "",
                f"{figures.p50_ms:.1f} / {figures.p99_ms:.1f}",
                f"{figures.total_cpu_us:,.0f} ({run.cpu_ratio:.1f})",
                str(sum(each.figures.lost for each in runs)),
                str(sum(each.figures.doubled for each in runs)),
                str(sum(each.figures.out_of_order for each in runs)) if case.is_hot else "",
                _refused(each.figures for each in runs),
            )
        return shown

    def _split(self) -> Table:
        cases = [case for case in self.runs if not case.is_hot]
        names = sorted({name for case in cases for name in self.middle(case).figures.cpu_us})
        shown = table("CPU µs per saga, by process (200 stores)", "joins as", "callers", "all", *names)
        for case in cases:
            figures = self.middle(case).figures
            by_name = (f"{figures.cpu_us.get(name, 0):,.0f}" for name in names)
            shown.add_row(case.way, str(case.callers), f"{figures.total_cpu_us:,.0f}", *by_name)
        return shown

    def _moments(self) -> Table:
        columns = ("joins/s", "joins", "answer p50 / p99 ms", "notice with the vendor p50 / p99 ms", "not told")
        shown = table("At a given rate, from when each join was due", *columns)
        for each in self.moments:
            answer, notice = (f"{ms.p50:.1f} / {ms.p99:.1f}" for ms in (each.answer, each.notice))
            shown.add_row(f"{each.rate:,.0f}", str(each.joins), answer, notice, str(each.untold))
        return shown

    def _processes(self) -> Table:
        names = sorted(self.loaded_mb)
        shown = table("Processes", "", *names)
        shown.add_row("idle: CPU % of a core", *(f"{self.idle_percent.get(name, 0):.2f}" for name in names))
        shown.add_row("idle: MB", *(f"{self.idle_mb.get(name, 0):.0f}" for name in names))
        shown.add_row("after the load: MB", *(f"{self.loaded_mb[name]:.0f}" for name in names))
        shown.caption = "\n".join(
            f"one more reception where {start.waiting:,} wait: listens after {start.listening:.2f} s, "
            f"first durable join answered after {start.joined:.2f} s"
            for start in self.starts
        )
        return shown

    def _crowd(self) -> Table:
        few, many = self.crowd
        shown = table(
            "One call at a time, median ms; the ratio is to empty calls in between",
            "", f"{few.waiting:,} wait", f"{many.waiting:,} wait: a short line", "the long line", "ratio",
        )  # fmt: skip
        for what, ms in few.ms[FEW].items():
            short, long = many.ms[FEW][what], many.ms[HOT][what]
            shown.add_row(what, f"{ms:.2f}", f"{short:.2f}", f"{long:.2f}", f"{self.slower(what, HOT):.2f}")
        shown.add_row("an empty call", f"{few.empty_ms:.2f}", f"{many.empty_ms:.2f}", f"{many.empty_ms:.2f}", "")
        return shown


def table(title: str, *columns: str) -> Table:
    """An empty table of figures."""
    made = Table(title=title, title_justify="left")
    for column in columns:
        made.add_column(column, justify="right")
    return made


def _refused(runs: Iterable[Figures]) -> str:
    refused: dict[str, int] = {}
    for run in runs:
        for status, count in run.refused.items():
            refused[status] = refused.get(status, 0) + count
    return ", ".join(f"{count} {status}" for status, count in refused.items()) or "0"
