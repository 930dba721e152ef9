"""How long a party that joins now would wait."""

DEFAULT_PACE_SECONDS = 300
"""Seconds between two calls where the line has not told its own yet."""


def estimated_wait_seconds(
    *, parties_waiting: int, pace_seconds: int, largest_free_capacity: int, state: str
) -> int | None:
    """Seconds until a party that joins now would be called.

    None when it would not wait: a table is free and nobody waits; also when nobody can join.
    """
    if state != "OPEN" or (largest_free_capacity > 0 and parties_waiting == 0):
        return None
    return (parties_waiting + 1) * pace_seconds
