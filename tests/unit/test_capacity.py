"""The capacity model, and the page that shows it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.capacity.books import Page
from scripts.bench.capacity.measuring import kept
from scripts.bench.capacity.model import Assumptions, Model, shipped
from scripts.bench.capacity.tables import all_tables, filled

DOCUMENT = Path(__file__).parents[2] / "docs" / "scaling.md"

MEASURED: dict[str, Any] = {
    "idle_cores": 0.1,
    "loads": [{"rate": 10.0, "cpu_us": 50_000}, {"rate": 100.0, "cpu_us": 10_000}],
    "saga": {"messages": 2.0},
    "life": {
        "rate": 10.0,
        "cpu_us": 100_000,
        "log_bytes": {"postgresql": 9000, "mariadb": 1000},
        "message_bytes": 4000,
    },
    "kept": {"bytes": {"reception": 600, "seat": 400}},
    "watching": {"stream_kb": 20.0, "update_us": 1000.0},
}
ASSUMED = Assumptions(peak=2.0, busy=0.5, cores_a_machine=4, watchers=10.0, watch_seconds=600.0)


def test_cores_lie_straight_between_what_was_measured() -> None:
    model = Model(MEASURED, ASSUMED)
    assert [model.cores(rate) for rate in (0.0, 5.0, 10.0, 55.0, 100.0)] == pytest.approx([0.1, 0.3, 0.5, 0.75, 1.0])


def test_nothing_is_said_of_more_than_was_measured() -> None:
    with pytest.raises(ValueError, match="at most 100 were measured"):
        Model(MEASURED, ASSUMED).cores(101.0)


def test_a_small_load_needs_one_installation_that_survives_the_loss_of_a_machine() -> None:
    need = Model(MEASURED, ASSUMED).need(3600)
    assert (need.cells, need.machines) == (1, 3)
    assert (need.mean, need.peak) == (1.0, 2.0)


def test_a_large_load_is_shared_by_installations_and_its_watchers_count() -> None:
    need = Model(MEASURED, ASSUMED).need(3600 * 1000)
    assert need.cells == 20
    # 20 installations of one core each, a life costs twice a join; 1,000 leave a second, each in front of ten
    assert need.saga_cores == pytest.approx(20 * 1.0 * 2.0)
    assert need.watch_cores == pytest.approx(10.0)
    assert need.machines == 60
    assert need.log_mb == pytest.approx(2000 * 10_000 / 1e6)
    assert need.kept_gb_an_hour == pytest.approx(3600 * 1000 * 1000 / 1e9)
    assert need.streams == 600_000
    assert need.stream_gb == pytest.approx(12.0)


def test_half_as_busy_is_twice_the_machines() -> None:
    calm = Model(MEASURED, replace(ASSUMED, busy=0.05)).need(3600 * 1000)
    assert calm.machines == 250


def test_what_is_kept_is_what_came_to_be_for_each_party() -> None:
    before = {"seat": Page(rows=10, size=8000, commits=5, log=100, server="postgresql")}
    after = {"seat": Page(rows=30, size=10_000, commits=9, log=900, server="postgresql")}
    assert kept(before, after, 10) == {"sagas": 10, "rows": {"seat": 2.0}, "bytes": {"seat": 200}}


def test_the_page_shows_what_the_model_says() -> None:
    model, page = shipped(), DOCUMENT.read_text("utf-8")
    assert filled(page, model) == page, "type: .venv/bin/python -m scripts.bench.capacity --write"
    for table in all_tables(model).values():
        assert table in page
