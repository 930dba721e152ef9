"""What requests may hold: texts, names, request ids and page tokens."""

import unicodedata
from typing import Any

import pytest

from services.chassis.fields import name_parts, text
from services.chassis.idempotency import fingerprints, request_key
from services.chassis.kernel import InvalidField, NotFound
from services.chassis.paging import page_position, page_token, text_position
from tabling.management.v1.management_service_pb2 import ListStoresRequest

REQUEST_ID = "5f0c1e9a-0d4b-4a6e-9c39-2f3c7f5f4a11"


@pytest.mark.parametrize(
    "value", ["김밥 & <b>", "👨‍👩‍👧‍👦🏳️‍🌈", "🫩 newer than Unicode 14", "مطعم", "a\u200db", " soup "]
)
def test_text_that_people_can_read_is_kept(value: str) -> None:
    assert text("name", value, longest=80) == value


def test_text_is_kept_composed() -> None:
    assert text("name", unicodedata.normalize("NFD", "김밥 é"), longest=80) == "김밥 é"


@pytest.mark.parametrize(
    "value",
    [" ", "\u3000", "\u200b\u200d", "\u3164", "\ufe0f", "a\nb", "a\u2028b", "a\u202eb", "\0", "\ue000", "\uffff"],
)
def test_text_that_nobody_can_read_is_refused(value: str) -> None:
    with pytest.raises(InvalidField):
        text("name", value, longest=80)


def test_no_name_at_all_is_a_missing_field() -> None:
    with pytest.raises(InvalidField) as caught:
        name_parts("", "stores/*", "parent")
    assert [violation.field for violation in caught.value.violations] == ["parent"]


@pytest.mark.parametrize("name", ["stores", "stores/", "stores/A", "stores/a/b", "shops/a", "stores/%61"])
def test_a_name_of_another_form_names_nothing(name: str) -> None:
    with pytest.raises(NotFound):
        name_parts(name, "stores/*")


def test_a_request_id_is_the_same_in_either_case() -> None:
    assert request_key(REQUEST_ID.upper()) == request_key(REQUEST_ID) == REQUEST_ID


@pytest.mark.parametrize(
    "value",
    ["x", REQUEST_ID.replace("-", ""), f"{{{REQUEST_ID}}}", f"urn:uuid:{REQUEST_ID}", "１" * 32, f"{REQUEST_ID}\n"],
)
def test_a_request_id_has_one_form(value: str) -> None:
    with pytest.raises(InvalidField):
        request_key(value)


def test_what_was_asked_is_known_again_after_the_keys_have_changed_and_by_nobody_without_them() -> None:
    asked = ListStoresRequest(page_size=7)
    [before], after = fingerprints(("old",), "List", "kim", asked), fingerprints(("new", "old"), "List", "kim", asked)
    assert before in after[1:]
    assert before not in fingerprints(("other",), "List", "kim", asked)
    assert before not in fingerprints(("old",), "List", "lee", asked)
    assert before not in fingerprints(("old",), "List", "kim", ListStoresRequest(page_size=8))


def test_a_token_leads_on_from_its_place() -> None:
    request = ListStoresRequest()
    assert page_position(request, page_token(request, [1, "b"])) == [1, "b"]
    assert text_position(request, page_token(request, ["b"])) == "b"
    assert text_position(request, "") == ""


@pytest.mark.parametrize("place", [7, None, "b", {"b": 1}, ["\ud800"]])
def test_a_token_of_what_is_no_place_is_refused_even_if_well_sealed(place: Any) -> None:
    request = ListStoresRequest()
    with pytest.raises(InvalidField):
        page_position(request, page_token(request, place))


@pytest.mark.parametrize("place", [[], [None], [1], ["a", "b"], [["a"]]])
def test_a_place_in_a_list_of_texts_is_one_text(place: list[Any]) -> None:
    request = ListStoresRequest()
    with pytest.raises(InvalidField):
        text_position(request, page_token(request, place))
