"""Phone numbers: by which keys they are sealed, and whether those keys are here."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

from sqlalchemy import Connection, func, select

from services.chassis.migrate import DatabaseUnusable
from services.operations.catalogue import present, table
from services.operations.databases import opened
from services.operations.doctor.finding import Finding, Severity
from services.operations.printing import counted
from services.operations.surroundings import Surroundings

SERVICE = "reception"
WHERE = "phone numbers"


async def phones(around: Surroundings) -> AsyncIterator[Finding]:
    """How many numbers are sealed by which key, unless all are by the newest."""
    for settings in around.right_settings(service for service in present() if service == SERVICE):
        from services.reception.adapters.vault import PLAIN, Vault  # whose code may not be here

        try:
            async with opened(SERVICE, settings.database) as database:
                counts = await database.scan(_by_key)
        except DatabaseUnusable:
            # told where databases are looked at
            continue
        for finding in _judged(counts, Vault(settings.phone_keys).key_ids, PLAIN):
            yield finding


def _by_key(connection: Connection) -> dict[str, int]:
    key = table(SERVICE, "receptions").c.phone_key
    found = connection.execute(select(key, func.count()).where(key > "").group_by(key)).all()
    return dict(map(tuple, found))


def _judged(counts: Mapping[str, int], keys: Sequence[str], plain: str) -> Iterator[Finding]:
    newest, *older = keys
    left = {name: count for name, count in counts.items() if name in (plain, *older)}
    if left:
        told = ", ".join(
            f"{counted(count, 'row')} {'not looked at yet' if name == plain else f'sealed by key {name}'}"
            for name, count in sorted(left.items())
        )
        fix = "wait: reception seals them anew within minutes; only then may older keys leave TABLING_PHONE_KEY"
        yield Finding(Severity.NOTE, WHERE, f"{told}; the newest key is {newest}", fix)
    for name in sorted(counts.keys() - {newest, *left}):
        what = f"{counted(counts[name], 'row')} sealed by key {name}, which is not here: those parties are told nothing"
        yield Finding(Severity.WRONG, WHERE, what, "put the key back into TABLING_PHONE_KEY, behind the newest")
