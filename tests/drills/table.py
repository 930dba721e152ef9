"""The table of what came of each drill, also when they ran in several processes: hooks of pytest."""

from dataclasses import asdict
from typing import Any

import pytest

from tests.drills.audit import Findings
from tests.drills.trial import Report

REPORTS = pytest.StashKey[list[Report]]()
FIGURES = pytest.StashKey[list[str]]()
"""Lines below the table: what a drill measured besides."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of several hands in what it has."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["drills"] = [asdict(report) for report in session.config.stash.get(REPORTS, [])]
        session.config.workeroutput["figures"] = session.config.stash.get(FIGURES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker has."""
    reports: list[Report] = node.config.stash.setdefault(REPORTS, [])
    node.config.stash.setdefault(FIGURES, []).extend(getattr(node, "workeroutput", {}).get("figures", ()))
    told = getattr(node, "workeroutput", {}).get("drills", ())
    reports.extend(Report(**each | {"findings": Findings(**each["findings"])}) for each in told)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, whenever there were drills."""
    _show_reports(terminalreporter, config)
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)


def _show_reports(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not (reports := config.stash.get(REPORTS, [])):
        return
    width = max(len(report.what) for report in reports)
    head = f"{'injected':{width}}  lasting s  accepted  in doubt  lost  doubled  wrong  recovered s  at passing"
    terminalreporter.write_sep("-", "drills")
    terminalreporter.write_line(head)
    for each in reports:
        found, lasting = each.findings, f"{each.lasting:.1f}" if each.lasting else ""
        terminalreporter.write_line(
            f"{each.what:{width}}  {lasting:>9}  {each.accepted:8}  {each.in_doubt:8}  {len(found.lost):4}"
            f"  {len(found.doubled):7}  {len(found.wrong):5}  {each.recovery_seconds:11.1f}  {each.passing}".rstrip()
        )
