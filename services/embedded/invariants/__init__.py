"""Whether five databases tell one story: every fact that the services promise about themselves and each other."""

from pathlib import Path

from services.embedded.invariants.always import ALWAYS
from services.embedded.invariants.at_rest import AT_REST
from services.embedded.invariants.books import SERVICES, Unreadable, read


def violations(folder: Path, *, quiescent: bool = True) -> list[str]:
    """A sentence for every broken promise in the databases of a data folder; nothing is written.

    `quiescent` means that nobody is doing anything: every event has been delivered and every timer that was
    due has fired. Otherwise only what holds at any moment is looked at.
    """
    files = [folder / f"{service}.db" for service in SERVICES]
    if missing := [f"{file} does not exist" for file in files if not file.exists()]:
        return missing
    try:
        books = read(folder)
    except Unreadable as error:
        return [str(error)]
    checks = (*ALWAYS, *AT_REST) if quiescent else ALWAYS
    return [sentence for check in checks for sentence in check(books)]
