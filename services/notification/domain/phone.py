"""Phone numbers as people may see them."""

KOREA = "+82"
MOST_HIDDEN = 11
"""What is too long for a number is shortened where it is hidden: the ledger has no room for it."""


def masked(e164: str) -> str:
    """An E.164 number with its middle hidden: `010-****-5678`; of other countries `+1******0123`."""
    if len(e164) < 8:
        return "*" * len(e164)
    last = e164[-4:]
    if not e164.startswith(KOREA):
        return f"{e164[:2]}{'*' * min(len(e164) - 6, MOST_HIDDEN)}{last}"
    national = "0" + e164[len(KOREA) :]
    prefix = national[:2] if national.startswith("02") else national[:3]
    hidden = min(max(3, len(national) - len(prefix) - 4), MOST_HIDDEN)
    return f"{prefix}-{'*' * hidden}-{last}"
