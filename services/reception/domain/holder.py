"""Whose a reception is: of whoever shows its pass, of its customer, and of the backend that acts for the customer."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.chassis.kernel import Caller, Role

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks for a reception.

    `has_pass`: showed its pass, which opens no reception that ended before `forgotten_before`. `is_let_in`: need not
    be its holder, like its store's staff. `address`: where the call comes from, or empty.
    """

    caller: Caller
    has_pass: bool = False
    is_let_in: bool = False
    forgotten_before: datetime = NEVER
    address: str = ""

    @property
    def comes_alone(self) -> bool:
        """Whether neither staff nor a backend vouches that this is a party."""
        return not self.is_let_in and self.caller.role is not Role.BACKEND

    def acts_for(self, customer_id: str) -> bool:
        """Whether they are this customer, or a backend that acts for the customer."""
        match self.caller:
            case Caller(role=Role.CUSTOMER, id=own):
                return customer_id == own
            case Caller(role=Role.BACKEND, customers=prefix):
                return bool(prefix) and customer_id.startswith(prefix)
        return False
