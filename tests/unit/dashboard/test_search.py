"""Rules of the store search."""

import math
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.application.search import (
    Candidate,
    Point,
    Search,
    Sort,
    distance_meters,
    find,
    fold,
    latitudes,
)

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))


def candidate(
    id_: str = "s1",
    *,
    at: Point | None = None,
    state: str = "OPEN",
    waiting: int = 0,
    free: int = 0,
    hours: str = "",
    name: str = "a",
) -> Candidate:
    return Candidate(
        id_, name, at and at.latitude, at and at.longitude, state, "Asia/Seoul", hours, free, free, waiting, 300
    )


candidates = st.lists(
    st.builds(
        candidate,
        st.text("abc123", min_size=1, max_size=4),
        at=st.none() | points,
        state=st.sampled_from(["OPEN", "PAUSED", "CLOSED"]),
        waiting=st.integers(0, 3),
        free=st.integers(0, 3),
        name=st.sampled_from("ab"),
    ),
    max_size=12,
    unique_by=lambda c: c.id,
)


@given(points, points)
def test_a_distance_is_the_same_both_ways_and_at_most_half_around_the_earth(a: Point, b: Point) -> None:
    assert math.isclose(distance_meters(a, b), distance_meters(b, a), abs_tol=1e-3)
    assert 0 <= distance_meters(a, b) <= 20_015_200


def test_a_known_distance() -> None:
    seoul, busan = Point(37.5665, 126.9780), Point(35.1796, 129.0756)
    assert round(distance_meters(seoul, busan) / 1000) == 325


@given(points, points, st.integers(1, 20_000_000))
def test_no_store_within_the_radius_is_left_out_by_its_latitude(near: Point, store: Point, radius: int) -> None:
    between = latitudes(Search(Sort.NAME, near=near, radius_meters=radius))
    assert between is not None
    if distance_meters(near, store) <= radius:
        assert between[0] <= store.latitude <= between[1]


@given(candidates, st.sampled_from(Sort), points)
def test_each_store_that_matches_is_found_once_in_a_total_order(
    stores: list[Candidate], sort: Sort, near: Point
) -> None:
    found = find(Search(sort, near=near), stores, NOW)
    assert sorted(store.id for store in found) == sorted(store.id for store in stores)
    keys = [store.key for store in found]
    assert all(one < other for one, other in pairwise(keys))


@given(candidates, points, st.integers(1, 20_000_000))
def test_a_radius_leaves_exactly_the_stores_within_it(stores: list[Candidate], near: Point, radius: int) -> None:
    found = {store.id for store in find(Search(Sort.DISTANCE, near=near, radius_meters=radius), stores, NOW)}
    for store in stores:
        within = (
            store.latitude is not None
            and store.longitude is not None
            and distance_meters(near, Point(store.latitude, store.longitude)) <= radius
        )
        assert (store.id in found) == within


def test_a_store_that_nobody_can_join_is_never_the_one_with_the_shortest_wait() -> None:
    stores = [candidate("closed", state="CLOSED", free=4), candidate("busy", waiting=9), candidate("free", free=2)]
    assert [store.id for store in find(Search(Sort.WAIT), stores, NOW)] == ["free", "busy", "closed"]


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
