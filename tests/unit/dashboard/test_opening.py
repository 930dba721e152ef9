"""Opening hours."""

from datetime import UTC, datetime, timedelta

import pytest

from services.dashboard.application.opening import Span, dump, is_open, load

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def opened(spans: list[Span], hour: int, minute: int = 0, *, day: int = 0, zone: str = "UTC") -> bool:
    return is_open(dump(spans), zone, MONDAY + timedelta(days=day, hours=hour, minutes=minute))


def test_a_store_without_hours_never_closes() -> None:
    assert opened([], 3)


@pytest.mark.parametrize(
    ("hour", "minute", "expected"), [(10, 59, False), (11, 0, True), (21, 59, True), (22, 0, False)]
)
def test_a_span_holds_its_begin_and_not_its_end(hour: int, minute: int, expected: bool) -> None:
    assert opened([Span(1, "11:00", "22:00")], hour, minute) == expected


def test_a_span_holds_on_its_weekday_only() -> None:
    assert not opened([Span(1, "11:00", "22:00")], 12, day=1)


@pytest.mark.parametrize(("day", "hour", "expected"), [(0, 23, True), (1, 1, True), (1, 2, False), (0, 1, False)])
def test_a_span_that_ends_earlier_ends_on_the_next_day(day: int, hour: int, expected: bool) -> None:
    assert opened([Span(1, "18:00", "02:00")], hour, day=day) == expected


def test_a_span_of_sunday_night_reaches_into_monday() -> None:
    assert opened([Span(7, "18:00", "02:00")], 1)


def test_hours_are_the_stores_own_time() -> None:
    assert opened([Span(1, "11:00", "22:00")], 3, zone="Asia/Seoul")
    assert not opened([Span(1, "11:00", "22:00")], 3, zone="Europe/Paris")


@pytest.mark.parametrize("zone", ["Nowhere/Town", "", "../etc/passwd", "\0"])
def test_hours_that_cannot_be_read_keep_nobody_out(zone: str) -> None:
    assert opened([Span(1, "11:00", "22:00")], 3, zone=zone)
    assert opened([Span(1, "noon", "later")], 3)


def test_hours_come_back_as_they_were() -> None:
    spans = [Span(1, "11:00", "15:00"), Span(1, "17:00", "22:00")]
    assert load(dump(spans)) == spans
    assert load(dump([])) == []
