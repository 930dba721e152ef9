"""How often people may join."""

from dataclasses import dataclass

from services.chassis.kernel import Allowance, Limit


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one customer, all who come by themselves to one line, and those of them who come from one address may do.

    No limit is about more than a day.
    """

    joins: tuple[Limit, ...]
    joins_of_line: Allowance
    joins_of_address: Allowance
