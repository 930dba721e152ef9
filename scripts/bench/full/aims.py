"""What the full mode is to reach, beside what it reached."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from scripts.bench.full.crowd import FEW
from scripts.bench.full.report import Report, table
from scripts.bench.full.rounds import HOT, Case

CALLERS = 256
SERVICES = ("reception", "seat", "management", "dashboard", "notification")


@dataclass(frozen=True, slots=True)
class Aim:
    """One figure: at least or at most this."""

    what: str
    figure: float
    aim: float
    is_least: bool = False

    @property
    def is_reached(self) -> bool:
        """Whether it is as good as it was to be."""
        return self.figure >= self.aim if self.is_least else self.figure <= self.aim


def shown(report: Report) -> Table:
    """All aims for which something was measured."""
    found = table("Aims", "", "measured", "aim", "")
    for aim in (*_rates(report), *_moments(report), *_processes(report), *_crowd(report)):
        sign = "≥" if aim.is_least else "≤"
        mark = "[green]reached" if aim.is_reached else "[yellow]missed"
        found.add_row(aim.what, f"{aim.figure:,.2f}", f"{sign} {aim.aim:g}", mark)
    return found


def _rates(report: Report) -> Iterator[Aim]:
    unary, json = (Case(way, CALLERS, is_hot=False) for way in ("unary", "json"))
    if unary in report.runs:
        yield Aim("sagas ÷ empty, unary, 256 callers", report.middle(unary).ratio, 0.50, is_least=True)
        yield Aim("sagas ÷ empty, JSON through Envoy, 256 callers", report.middle(json).ratio, 0.38, is_least=True)
    if stream := report.best("stream"):
        yield Aim("sagas ÷ empty, streamed", report.middle(stream).ratio, 0.95, is_least=True)
    if unary in report.runs:
        yield Aim("CPU of a saga ÷ CPU of an empty call, unary", report.middle(unary).cpu_ratio, 2.3)
        yield Aim("one store ÷ 200 stores, unary, 256 callers", report.hot_ratio(unary), 0.8, is_least=True)
    yield Aim("lost, doubled, misnumbered, not told", report.faults, 0)


def _moments(report: Report) -> Iterator[Aim]:
    for moments, p50, p99 in zip(report.moments, (12, 50), (25, 100), strict=False):
        where = f"join → notice with the vendor at {moments.rate:,.0f}/s, ms"
        yield Aim(f"{where}, p50", moments.notice.p50, p50)
        yield Aim(f"{where}, p99", moments.notice.p99, p99)


def _processes(report: Report) -> Iterator[Aim]:
    most = max((report.loaded_mb.get(name, 0.0), name) for name in SERVICES)
    if report.loaded_mb:
        yield Aim(f"memory of the largest service ({most[1]}), MB", most[0], 100)
    for start in report.starts:
        yield Aim(f"start to first durable join where {start.waiting:,} wait, s", start.joined, 0.8)
    idle = max((report.idle_percent.get(name, 0.0), name) for name in SERVICES)
    yield Aim(f"idle CPU of the busiest service ({idle[1]}), %", idle[0], 0.2)


def _crowd(report: Report) -> Iterator[Aim]:
    if len(report.crowd) < 2:
        return
    many = report.crowd[1]
    for what in many.ms[FEW]:
        yield Aim(f"{what} where {many.waiting:,} wait ÷ where few wait", report.slower(what, HOT), 1.2)
