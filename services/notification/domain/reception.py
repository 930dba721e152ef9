"""What this service knows of a reception: its newest state, and what its party has been told of."""

from dataclasses import dataclass, field

from services.chassis.kernel import Aggregate
from services.notification.domain.purpose import TRUE_WHILE, Purpose, ReceptionState
from services.notification.domain.snapshot import Snapshot


@dataclass(kw_only=True)
class Reception(Aggregate):
    """One reception. `seen` is the newest version seen, `told` the tokens of all notices decided."""

    id: str
    seen: int = 0
    round: int = 0
    state: ReceptionState = ReceptionState.REQUESTED
    told: set[str] = field(default_factory=set)

    def see(self, snapshot: Snapshot) -> bool:
        """Take over a newer snapshot; False when it is not newer than the one held."""
        if snapshot.version <= self.seen:
            return False
        self.seen = snapshot.version
        self.round = snapshot.round
        self.state = snapshot.state
        return True

    def decide(self, token: str) -> bool:
        """True the first time that this notice is decided."""
        if token in self.told:
            return False
        self.told.add(token)
        return True

    def is_true(self, purpose: Purpose, round_: int) -> bool:
        """Whether a notice for this purpose and round still tells the truth."""
        return holds(purpose, round_, self.state, self.round)


def holds(purpose: Purpose, round_: int, state: ReceptionState, newest_round: int) -> bool:
    """Whether a notice of `purpose` and `round_` is true of a reception in `state` and `newest_round`."""
    return round_ == newest_round and TRUE_WHILE[purpose] is state


def token(purpose: Purpose, round_: int) -> str:
    """What tells one notice of a reception from another: once per purpose and round."""
    return f"{_SLUGS[purpose]}-{round_}"


_SLUGS = {purpose: purpose.value.lower().replace("_", "-") for purpose in Purpose}
