"""Whether five databases tell one story: every fact that the services promise about themselves and each other."""

from services.operations.invariants.always import ALWAYS
from services.operations.invariants.at_rest import AT_REST
from services.operations.invariants.books import Books, read

__all__ = ["Books", "read", "violations"]


def violations(books: Books, *, quiescent: bool = True) -> list[str]:
    """A sentence for every broken promise in the books.

    `quiescent` means that nobody is doing anything: every event has been delivered and every timer that was
    due has fired. Otherwise only what holds at any moment is looked at.
    """
    checks = (*ALWAYS, *AT_REST) if quiescent else ALWAYS
    return [sentence for check in checks for sentence in check(books)]
