"""An address: how many parties that tell nothing of themselves came from it."""

from dataclasses import dataclass
from datetime import datetime

from services.chassis.kernel import Aggregate, Allowance
from services.reception.domain.errors import TooManyJoins


@dataclass(kw_only=True)
class Address(Aggregate):
    """Where parties come from, as far as one store goes. `back_at`: when its allowance will be whole again."""

    key: str
    back_at: datetime

    def check_join(self, allowance: Allowance, now: datetime) -> None:
        """Raises `TooManyJoins`: those that were canceled count too."""
        if wait := allowance.wait(self.back_at, now):
            raise TooManyJoins(f"{allowance.most} join from one address in {allowance.span}", wait)

    def count_join(self, allowance: Allowance, now: datetime) -> None:
        """A party that tells nothing of itself joins."""
        self.back_at = allowance.take(self.back_at, now)
