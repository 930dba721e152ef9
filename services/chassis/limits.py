"""Limits against abuse: how much one may ask for. They hold for all replicas of a service together, unless said so."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

MOST_OF_ANYTHING = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The defaults; `TABLING_<NAME>` in the environment changes one, `most_joins_a_day` being `MOST_JOINS_A_DAY`.

    Joins are those of one customer or phone, canceled ones among them; those of a line are joins by people who come by
    themselves, in a minute and as many at once; those of an address are joins of one line, in ten minutes and as many
    at once, by people of whom nothing else is known. Streams are those open at a time, in one process. Notices are
    those to one phone, to the numbers of one block of ten thousand, and of one store.
    """

    most_joins_in_ten_minutes: int = 3
    most_joins_a_day: int = 10
    most_joins_of_line_a_minute: int = 300
    most_joins_of_address_in_ten_minutes: int = 20

    most_streams_of_customer: int = 5
    most_streams_of_pass: int = 5
    most_streams_of_address: int = 50
    most_streams_of_staff: int = 20
    most_streams_of_operator: int = 20
    most_streams_of_backend: int = 2000

    most_notices_of_phone_in_ten_minutes: int = 3
    most_notices_of_phone_a_day: int = 10
    most_notices_of_block_a_day: int = 1000
    most_notices_of_store_a_day: int = 2000

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that say so."""
        return {f"TABLING_{name.upper()}": str(most) for name, most in asdict(self).items()}
