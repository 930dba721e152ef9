"""Phone numbers: what is taken, and how it is shown."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.kernel import InvalidField
from services.reception.domain.phone import customer_key, masked
from services.reception.entrypoints.fields import phone

KR = ("KR",)


@pytest.mark.parametrize(
    ("given_as", "number"),
    [
        ("", ""),
        ("010-1234-5678", "+821012345678"),
        ("01012345678", "+821012345678"),
        ("+82 10-1234-5678", "+821012345678"),
        ("+8201012345678", "+821012345678"),
        ("02-312-3456", "+8223123456"),
        ("031 123 4567", "+82311234567"),
    ],
)
def test_national_and_international_forms_are_one_number(given_as: str, number: str) -> None:
    assert phone(given_as, KR) == number


@pytest.mark.parametrize(
    "wrong",
    [
        "  ",
        "12345",
        "010",
        "1012345678",
        "821012345678",
        "010-1234-567a",
        "010.1234.5678",
        "(02) 312-3456",
        "٠١٠١٢٣٤٥٦٧٨",
        "+",
        "+82",
        "++821012345678",
        "010+12345678",
        "01012345678 ",
        "010-1234-5678;ext=1",
        "+12025550123",
        "+81312345678",
        "0" * 30,
        "1588-1234",
        "060-700-1234",
    ],
)
def test_anything_else_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidField) as refused:
        phone(wrong, KR)
    assert refused.value.violations[0].field == "phone"


def test_the_countries_are_a_choice() -> None:
    assert phone("+12015550123", ("KR", "US")) == "+12015550123"
    with pytest.raises(InvalidField):
        phone("010-1234-5678", ("US",))


@given(st.from_regex(r"\A(0|\+82)10[0-9]{8}\Z"))
def test_the_short_way_agrees_with_the_library(value: str) -> None:
    known = phonenumbers.parse(value, "KR")
    if phonenumbers.is_valid_number_for_region(known, "KR"):
        expected = phonenumbers.format_number(known, phonenumbers.PhoneNumberFormat.E164)
        assert phone(value, KR) == expected
    else:
        with pytest.raises(InvalidField):
            phone(value, KR)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+821012345678", "010-****-5678"),
        ("+82111234567", "011-***-4567"),
        ("+8223123456", "02-***-3456"),
        ("+12025550123", "+1******0123"),
    ],
)
def test_a_number_is_shown_without_its_middle(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_a_customer_is_known_by_id_or_else_by_phone() -> None:
    assert customer_key("anna", "f00d") == "c:anna"
    assert customer_key("", "f00d") == "p:f00d"
    assert customer_key("", "") == ""
