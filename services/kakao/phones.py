"""Phone numbers as people here dial them."""

import re

SHORTEST, LONGEST = 8, 15
_korean_mobile = re.compile(r"(01\d)(\d{3,4})(\d{4})")


def dialled(number: str) -> str | None:
    """Digits only, Korean numbers without their country's code; None when it is no phone number."""
    if not (number.isascii() and number.isdigit()):
        number = number.replace("-", "").removeprefix("+")
        if not (number.isascii() and number.isdigit()):
            return None
    if number.startswith("82"):
        number = "0" + number[2:].removeprefix("0")
    return number if SHORTEST <= len(number) <= LONGEST else None


def readable(number: str) -> str:
    """01012345678 as 010-1234-5678."""
    parts = _korean_mobile.fullmatch(number)
    return "-".join(parts.groups()) if parts else number
