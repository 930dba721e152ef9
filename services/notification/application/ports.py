"""What use cases need of their surroundings."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from services.notification.domain.budget import Budget
from services.notification.domain.notice import Notice
from services.notification.domain.reception import Reception
from services.notification.domain.store import Store


class Notices(Protocol):
    """The ledger."""

    def add(self, notice: Notice) -> None:
        """Keep a new notice and announce its events."""

    def bring(self, committed: Notice) -> Notice:
        """A notice to carry on, given as it was committed; the given one stays as it is."""

    def carry_on(self, notice: Notice) -> None:
        """Keep what became of a notice and announce its events."""


class Receptions(Protocol):
    """What is known of receptions."""

    def find(self, key: str) -> Reception | None:
        """The reception, or None."""

    def save(self, aggregate: Reception) -> None:
        """Keep it."""


class Stores(Protocol):
    """What is known of stores."""

    def find(self, key: str) -> Store | None:
        """The store, or None."""

    def save(self, aggregate: Store) -> None:
        """Keep it."""


class Budgets(Protocol):
    """What was spent on notices."""

    def find(self, key: str) -> Budget | None:
        """The budget, or None when nothing was spent of it lately."""

    def save(self, aggregate: Budget) -> None:
        """Keep it."""


class UnitOfWork(Protocol):
    """One transaction."""

    @property
    def now(self) -> datetime:
        """When it began."""

    @property
    def notices(self) -> Notices:
        """The ledger."""

    @property
    def receptions(self) -> Receptions:
        """What is known of receptions."""

    @property
    def budgets(self) -> Budgets:
        """What was spent on notices."""

    @property
    def stores(self) -> Stores:
        """What is known of stores."""


class Wording(NamedTuple):
    """A template filled in: its language and code, the variables it uses, and the text a person reads."""

    language_code: str
    template_code: str
    variables: Mapping[str, str]
    text: str


class Templates(Protocol):
    """The registry of templates."""

    def word(self, key: str, language_code: str, values: Mapping[str, str]) -> Wording:
        """Fill in the template `key`; Korean when there is none in that language."""

    def unknown_store(self, language_code: str) -> str:
        """What to call a store whose name is not known yet."""
