"""The benchmark's tables, from made up figures."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from scripts.bench.compared import Empty
from scripts.bench.full import aims
from scripts.bench.full.command import between, cases
from scripts.bench.full.crowd import FEW, Costs
from scripts.bench.full.moments import Moments
from scripts.bench.full.report import Compared, Report
from scripts.bench.full.rounds import HOT, Figures
from scripts.bench.full.starting import Start
from scripts.bench.load import Latencies


def figures(rate: float, **facts: Any) -> Figures:
    given: dict[str, Any] = {"lost": 0, "doubled": 0, "out_of_order": 0, "refused": {}} | facts
    return Figures(
        accepted=10,
        accepted_rate=rate,
        saga_rate=rate,
        p50_ms=1,
        p99_ms=2,
        cpu_us={"reception": 3, "Envoy": 4},
        **given,
    )


def every_case() -> Iterator[Any]:
    return (case for callers in (256, 512) for case in cases(callers))


def told(ms: float) -> Latencies:
    return Latencies(p50=ms, p90=ms, p99=ms, max=ms)


def test_the_report_shows_every_case_and_what_was_lost_and_how_far_it_is_from_its_aims() -> None:
    empty = between(Empty(900, 400), Empty(1100, 600))
    assert empty == Empty(1000, 500)
    report = Report(rounds=2, seconds=1)
    for case in every_case():
        report.runs[case] = [Compared(figures(400), empty), Compared(figures(500, refused={"ABORTED": 3}), empty)]
    report.moments = [Moments(rate, 10, told(1), told(11), 0) for rate in (20, 400)]
    report.idle_mb = report.loaded_mb = {"reception": 70.0, "Envoy": 200.0}
    report.starts = [Start(100, 0.5, 0.9), Start(5000, 0.5, 0.7)]
    few, many = ({store: {"joining": ms} for store in (FEW, HOT)} for ms in (2.0, 4.0))
    report.crowd = [Costs(100, few, 0.5), Costs(5000, many, 0.5)]
    assert (report.faults, report.hot_ratio(cases(256)[0]), report.slower("joining", HOT)) == (0, 1.0, 2.0)

    console = Console(width=220, record=True)
    report.print(console)
    console.print(aims.shown(report))
    shown = console.export_text()

    assert shown.count("stream ") == 2 * 3 + 3
    assert "3 ABORTED" in shown
    marks = [line for line in shown.splitlines() if "reached" in line or "missed" in line]
    assert [mark.split("│")[1].split(",")[0].strip() for mark in marks if "missed" in mark] == [
        "sagas ÷ empty",
        "start to first durable join where 100 wait",
        "joining where 5",
    ]
    report.runs[cases(256)[0]].append(Compared(figures(1, lost=2), empty))
    assert report.faults == 2
