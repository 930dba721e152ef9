"""What this service knows of a reception: its newest state, and what its party has been told of."""

from dataclasses import dataclass, field

from services.chassis.kernel import Aggregate
from services.notification.domain.purpose import Purpose, ReceptionState, is_true
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

    def tells_the_truth(self, purpose: Purpose, round_: int) -> bool:
        """Whether a notice of this purpose and round is still true."""
        return is_true(purpose, round_, self.state, self.round)


def token(purpose: Purpose, round_: int) -> str:
    """What tells one notice of a reception from another: once per purpose and round."""
    return f"{_SLUGS[purpose]}-{round_}"


_SLUGS = {purpose: purpose.value.lower().replace("_", "-") for purpose in Purpose}
