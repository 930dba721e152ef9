"""A phone number: kept whole, shown masked."""

KOREA = "+82"


def masked(e164: str) -> str:
    """The number as people may see it: `010-****-5678`; other countries `+1******0123`."""
    last = e164[-4:]
    if not e164.startswith(KOREA):
        return f"{e164[:2]}{'*' * (len(e164) - 6)}{last}"
    national = "0" + e164[len(KOREA) :]
    prefix = national[:2] if national.startswith("02") else national[:3]
    return f"{prefix}-{'*' * max(3, len(national) - len(prefix) - 4)}-{last}"


def customer_key(customer_id: str, phone_hash: str) -> str:
    """What tells one customer from another: the id, else the phone's keyed hash, else nothing."""
    if customer_id:
        return f"c:{customer_id}"
    return f"p:{phone_hash}" if phone_hash else ""
