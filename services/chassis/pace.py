"""How far apart transactions start, so that their fixed price stays small beside what they do."""

import time

SHARED = 1.5
"""Pieces of work in a transaction, on average, from which on more of them are gathered."""

CALLED = 3.0
UNCALLED = 6.0
"""How many times as long as a transaction lasts it is from one's start to the next one's: for work that somebody
waits for, and for other work."""

SMOOTHING = 0.2


class Pace:
    """Learns how long transactions last, and tells how long to wait before the next one.

    A lone piece of work never waits. Under load transactions start further apart, so that they grow: many small ones
    would cost more than they do, and keep the event loop from hearing new callers. The slower the machine gets, the
    longer they last, and the more is gathered. What nobody waits for is put off by `longest_seconds` at most, callers
    by half of that.
    """

    def __init__(self, longest_seconds: float) -> None:
        self._longest_seconds = longest_seconds
        self._pieces = 0.0
        self._seconds = 0.0
        self._started = 0.0

    def start(self, pieces: int) -> None:
        """A transaction of so many pieces begins."""
        self._started = time.monotonic()
        self._pieces += SMOOTHING * (pieces - self._pieces)

    def end(self) -> None:
        """It has ended."""
        self._seconds += SMOOTHING * (time.monotonic() - self._started - self._seconds)

    def pause_seconds(self, *, called: bool) -> float:
        """How long to wait now before the next transaction; `called`: somebody waits for it."""
        if self._pieces < SHARED:
            return 0.0
        times, longest = (CALLED, self._longest_seconds / 2) if called else (UNCALLED, self._longest_seconds)
        return max(0.0, self._started + min(times * self._seconds, longest) - time.monotonic())
