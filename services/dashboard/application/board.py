"""Rules of the store board: who is shown where, and how far an order is."""

CALLED, LINE, SEATED = 0, 1, 2
"""The board's parts, from top to bottom."""

PART_OF_STATE = {"CALLED": CALLED, "REQUESTED": LINE, "WAITING": LINE, "SEATED": SEATED}
"""The part that a reception is shown in; closed ones are in none."""

_EARLIER = {"CALLED": ("RECEIVED", "ACCEPTED"), "SEATED": ("RECEIVED", "ACCEPTED", "CALLED")}


def order_state(reception_state: str, held: str | None, *, consent_needed: bool) -> str | None:
    """How far the order of an open reception is; None while that is not known.

    Management announces what staff did, and the first acceptance. What an order only follows, that its party
    was called or seated, is told by the reception. Before any announcement an order that needs staff's
    consent is RECEIVED.
    """
    if held is None:
        return reception_state if reception_state in _EARLIER else "RECEIVED" if consent_needed else None
    return reception_state if held in _EARLIER.get(reception_state, ()) else held
