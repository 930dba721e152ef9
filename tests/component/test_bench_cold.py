"""How the benchmark measures cold starts."""

from pathlib import Path

from rich.console import Console

from scripts.bench.cold import YARDSTICKS, ColdStarts, measure_cold_starts


async def test_a_start_is_over_when_the_service_says_that_it_serves(tmp_path: Path) -> None:
    found = await measure_cold_starts(tmp_path, times=1, services=["seat"])
    assert {name for name, seconds in found.seconds.items() if seconds} == {"seat", *YARDSTICKS}
    assert found.median("seat") > found.median("import grpc") > found.median("python") > 0


def test_the_table_shows_the_middle_start_and_how_far_it_is_from_its_aim() -> None:
    found = ColdStarts()
    found.seconds["python"].extend((0.02, 0.02, 0.02))
    found.seconds["import grpc"].extend((0.1, 0.2, 0.3))
    found.seconds["reception"].extend((0.7, 9.0, 0.8))
    found.seconds["seat"].extend((1.1, 1.0, 1.2))
    console = Console(width=120, record=True)
    console.print(found.table())
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in console.export_text().splitlines() if "│" in line
    ]
    assert rows[2:] == [["reception", "0.80", "4.0", "reached"], ["seat", "1.10", "5.5", "missed"]]
