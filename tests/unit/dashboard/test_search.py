"""What a store search asks for, and the plain search that every database's answers are compared with."""

import math
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.application.search import Point, Search, Sort, fold, is_key, latitudes
from tests.plain_search import Shop, distance_meters, plain_search

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)

points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
shops = st.lists(
    st.builds(
        Shop,
        st.text("abc123", min_size=1, max_size=4),
        name=st.sampled_from("ab"),
        at=st.none() | points,
        state=st.sampled_from(["OPEN", "PAUSED", "CLOSED"]),
        waiting=st.integers(0, 3),
        largest=st.integers(0, 3),
    ),
    max_size=12,
    unique_by=lambda shop: shop.id,
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


@given(shops, st.sampled_from(Sort), points)
def test_without_a_condition_each_store_is_found_once(there: list[Shop], sort: Sort, near: Point) -> None:
    found = plain_search(Search(sort, near=near), there, NOW)
    assert sorted(id_ for id_, _ in found) == sorted(shop.id for shop in there)


@given(shops, points)
def test_the_nearest_comes_first_and_a_store_at_no_place_last(there: list[Shop], near: Point) -> None:
    placed = {shop.id for shop in there if shop.at}
    found = plain_search(Search(Sort.DISTANCE, near=near), there, NOW)
    for (one, meters), (other, other_meters) in pairwise(found):
        assert (one not in placed, meters) <= (other not in placed, other_meters)


def test_a_store_that_nobody_can_join_is_never_the_one_with_the_shortest_wait() -> None:
    there = [Shop("closed", state="CLOSED", largest=4), Shop("busy", waiting=9), Shop("free", largest=2)]
    assert [id_ for id_, _ in plain_search(Search(Sort.WAIT), there, NOW)] == ["free", "busy", "closed"]


@pytest.mark.parametrize(
    ("sort", "place"),
    [
        (Sort.DISTANCE, [0, 325_000, "s1"]),
        (Sort.NAME, ["국밥", "s1"]),
        (Sort.WAIT, [0, 2**63 - 1, "s1"]),
        (Sort.SEATS, [-(2**63), "s1"]),
    ],
)
def test_a_place_is_one_in_its_own_order_only(sort: Sort, place: list[int | str]) -> None:
    assert is_key(sort, place)
    assert not is_key(sort, place[1:])
    assert not is_key(sort, [*place, "s1"])
    assert not is_key(sort, [*place[:-1], "s\0"])
    assert not is_key(sort, [2**63, *place[1:]])
    assert not is_key(sort, [True, *place[1:]])


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
