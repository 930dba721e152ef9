"""Rules of the store board: who is shown where, and how far an order is."""

CALLED, LINE, SEATED = 0, 1, 2
"""The board's parts, from top to bottom."""

PART_OF_STATE = {"CALLED": CALLED, "REQUESTED": LINE, "WAITING": LINE, "SEATED": SEATED}
"""The part that a reception is shown in; closed ones are in none."""


def order_state(reception_state: str, accepted: bool | None, *, consent_needed: bool) -> str | None:
    """How far the order of an open reception is; None while it is on its way.

    Once its party is called or seated, so is the order. Before that it is RECEIVED where staff have to
    accept it and did not yet.
    """
    if reception_state in ("CALLED", "SEATED"):
        return reception_state
    if accepted:
        return "ACCEPTED"
    return "RECEIVED" if consent_needed or accepted is False else None
