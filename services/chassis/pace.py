"""How far apart transactions start, so that their fixed price stays small beside what they do."""

import time

BUSY_CALLERS = 1.5
FULL_CALLERS = 12.0
"""Average numbers of callers who share a transaction between which ever more of them are gathered."""

BUSY_RATE = 1000.0
"""Pieces of work a second at which work that nobody waits for is put off as far as it may be."""

SMOOTHING = 0.2


class Pace:
    """Learns how much comes, and tells how long to wait before the next transaction.

    A lone caller never waits, and neither does what follows from a lone call. Under load transactions start
    further apart, so that they grow: many small ones would keep the event loop from hearing new callers. What
    nobody waits for is put off by `longest_seconds` at most, callers by half of that.
    """

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds
        self._callers = 0.0
        self._rate = 0.0
        self._started = 0.0

    def start(self, callers: int, weight: int) -> None:
        """A transaction of this weight begins, for which so many callers wait."""
        now = time.monotonic()
        rate = weight / max(now - self._started, 1e-3)
        self._rate += SMOOTHING * (rate - self._rate)
        self._started = now
        if callers:
            self._callers += SMOOTHING * (callers - self._callers)

    def pause_seconds(self, *, called: bool) -> float:
        """How long to wait now before the next transaction; `called`: somebody waits for it."""
        if not called:
            spacing = self._longest_seconds * min(1.0, self._rate / BUSY_RATE)
        else:
            crowd = (self._callers - BUSY_CALLERS) / (FULL_CALLERS - BUSY_CALLERS)
            spacing = self._longest_seconds / 2 * min(1.0, max(0.0, crowd))
        return max(0.0, self._started + spacing - time.monotonic())
