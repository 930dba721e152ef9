"""This machine: open files, disk, ports."""

import resource
import shutil
from collections.abc import AsyncIterator, Iterator

from services.chassis.addresses import why_not
from services.chassis.health import State, ask_health
from services.operations.catalogue import present
from services.operations.doctor.finding import Finding, Severity
from services.operations.surroundings import Surroundings

FILES = 4096
"""A service holds a file per connection: callers, watchers, databases, broker."""

SCARCE_BYTES = 1024**3
FULL_BYTES = 100 * 1024**2


async def machine(around: Surroundings) -> AsyncIterator[Finding]:
    """What services that are started here would run into."""
    for finding in (*_files(), *_disk(around)):
        yield finding
    for settings in around.right_settings(present()):
        why = why_not(settings.listen)
        if why and await ask_health(settings.listen) not in (State.SERVING, State.NOT_SERVING):
            yield Finding(
                Severity.WRONG,
                settings.service,
                f"it could not listen on {settings.listen}: {why}",
                f"end what does (`ss -ltnp` shows it), or set TABLING_{settings.service.upper()}_LISTEN to another",
            )


def _files() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != soft < FILES:
        most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
        how = f"`ulimit -n {most}`" if hard == resource.RLIM_INFINITY or hard >= FILES else "LimitNOFILE= in the unit"
        yield Finding(Severity.RISKY, "this machine", f"a process may open {soft} files, {FILES} are wanted", how)


def _disk(around: Surroundings) -> Iterator[Finding]:
    if not around.data.exists():
        return
    free = shutil.disk_usage(around.data).free
    if free < SCARCE_BYTES:
        severity = Severity.WRONG if free < FULL_BYTES else Severity.RISKY
        what = f"{free / 1024**2:,.0f} MiB are free for {around.data}"
        yield Finding(severity, "this machine", what, "make room, or name another folder with TABLING_DATA")
