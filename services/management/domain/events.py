"""What happens in management; each event is told with a snapshot of its aggregate."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreChanged:
    """A store was created, changed, opened, paused or closed."""


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """An order was accepted, by staff or at once."""


@dataclass(frozen=True, slots=True)
class WalkInRegistered:
    """Staff registered a party at the door."""


@dataclass(frozen=True, slots=True)
class OrderCalled:
    """Staff called a party by hand."""


@dataclass(frozen=True, slots=True)
class OrderSeated:
    """The party arrived and sits."""


@dataclass(frozen=True, slots=True)
class OrderCompleted:
    """The party left."""


@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """Staff declined, canceled, or marked the party as not there."""


@dataclass(frozen=True, slots=True)
class OrderRestored:
    """Staff brought a no-show back."""
