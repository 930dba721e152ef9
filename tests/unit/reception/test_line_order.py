"""The order of a line, checked against the plainest possible model of one."""

from hypothesis import given
from hypothesis import strategies as st

from services.reception.domain.line_order import LineDraft, LineOrder, Spot
from services.seat.domain.table import Table

SECTIONS = st.sampled_from(["", "hall", "terrace"])
SIZES = st.integers(1, 4)
IDS = st.sampled_from("abcdefgh")
STEPS = st.lists(st.tuples(IDS, st.one_of(st.none(), st.integers(1, 40))), max_size=30)


def apply(steps: list[tuple[str, int | None]], draft: LineDraft, model: dict[str, int]) -> None:
    for reception_id, key in steps:
        if key is None:
            assert draft.drop(reception_id) == (reception_id in model)
            model.pop(reception_id, None)
        elif not draft.taken(key) or model.get(reception_id) == key:
            draft.put(Spot(key, reception_id, 2, "", False))
            model[reception_id] = key


def assert_same(draft: LineDraft, model: dict[str, int]) -> None:
    order = sorted((key, reception_id) for reception_id, key in model.items())
    assert [(spot.order_key, spot.reception_id) for spot in draft.behind(-1)] == order
    for key in range(42):
        assert draft.ahead(key) == sum(k < key for k, _ in order)
        assert draft.taken(key) == any(k == key for k, _ in order)
        assert [spot.order_key for spot in draft.behind(key)] == [k for k, _ in order if k > key]
    for reception_id in "abcdefgh":
        assert draft.key_of(reception_id) == model.get(reception_id)


@given(st.lists(STEPS, max_size=5))
def test_a_transaction_sees_its_own_changes_and_commits_them(transactions: list[list[tuple[str, int | None]]]) -> None:
    base, model = LineOrder(), dict[str, int]()
    for steps in transactions:
        draft = LineDraft(base)
        apply(steps, draft, model)
        assert_same(draft, model)
        draft.commit()
        assert_same(LineDraft(base), model)


@given(STEPS, STEPS)
def test_an_abandoned_transaction_leaves_nothing(
    before: list[tuple[str, int | None]], abandoned: list[tuple[str, int | None]]
) -> None:
    base, model = LineOrder(), dict[str, int]()
    draft = LineDraft(base)
    apply(before, draft, model)
    draft.commit()
    apply(abandoned, LineDraft(base), dict(model))
    assert_same(LineDraft(base), model)


def test_who_joins_behind_changes_nobodys_place() -> None:
    draft = LineDraft(LineOrder())
    assert not draft.put(Spot(10, "a", 2, "", False))
    assert not draft.put(Spot(20, "b", 2, "", False))
    assert draft.put(Spot(15, "c", 2, "", False))
    assert not draft.put(Spot(15, "c", 2, "", True))
    assert draft.put(Spot(30, "a", 2, "", False))
    assert draft.drop("b")
    assert not draft.drop("b")


@given(
    st.lists(st.tuples(st.integers(1, 8), SIZES, SECTIONS, st.booleans()), max_size=20),
    st.lists(st.tuples(SIZES, st.sampled_from(["hall", "terrace"])), min_size=1, max_size=6),
    SIZES,
    SECTIONS,
)
def test_who_could_use_every_table_of_a_newcomer_is_found_in_the_line_and_only_there(
    steps: list[tuple[int, int, str, bool]], tables: list[tuple[int, str]], size: int, section: str
) -> None:
    order = LineOrder()
    for key, party_size, wish, waits in steps:
        if waits:
            order.put(Spot(key, f"r{key}", party_size, wish, False))
        elif key in order.spots:
            order.drop(key)
    fitting = [table for table in map(_table, tables) if table.fits(size, section)]
    has_claim = order.could_use(size, section)
    assert has_claim == LineOrder(order.spots.values()).could_use(size, section)
    claims = [all(t.fits(spot.party_size, spot.section) for t in fitting) for spot in order.spots.values()]
    assert not has_claim or any(claims)
    every = [_table((capacity, name)) for capacity in range(size, 9) for name in ("hall", "terrace", "bar")]
    every = [table for table in every if table.fits(size, section)]
    everywhere = [all(t.fits(spot.party_size, spot.section) for t in every) for spot in order.spots.values()]
    assert has_claim == any(everywhere)


def _table(table: tuple[int, str]) -> Table:
    capacity, section = table
    return Table(store_id="s", table_id="t", capacity=capacity, section=section)
