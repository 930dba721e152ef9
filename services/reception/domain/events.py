"""What happens to a reception. The facts themselves are the reception's present state, published with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceptionAdded:
    """A party joined the line, or asked for a table that fits now."""


@dataclass(frozen=True, slots=True)
class ReceptionNumbered:
    """A promised table was gone; the party got a waiting number."""


@dataclass(frozen=True, slots=True)
class ReceptionPostponed:
    """A party let others go first."""


@dataclass(frozen=True, slots=True)
class ReceptionNeared:
    """A party's turn is near."""


@dataclass(frozen=True, slots=True)
class ReceptionCalled:
    """A table is ready for the party."""


@dataclass(frozen=True, slots=True)
class ReceptionSeated:
    """The party sits."""


@dataclass(frozen=True, slots=True)
class ReceptionCanceled:
    """The party gave up or was sent away."""


@dataclass(frozen=True, slots=True)
class ReceptionClosed:
    """The reception ended as COMPLETED, NO_SHOW or REJECTED."""


@dataclass(frozen=True, slots=True)
class ReceptionRestored:
    """Staff brought a no-show back."""
