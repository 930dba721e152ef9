"""The environment variables: values that are none, names that nobody knows, settings that contradict each other."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from services.chassis.database.address import shown
from services.chassis.settings import SHORTEST_KEY, Settings, SettingsError
from services.operations.asked import asked
from services.operations.catalogue import SERVICES, present
from services.operations.doctor.finding import Finding, Severity
from services.operations.surroundings import Surroundings

OTHERS = frozenset({"TABLING_CRASH", "TABLING_DRILLS", "TABLING_EXAMPLES", "TABLING_BUS_MANAGEMENT"})
"""What is read by nothing that has settings: the crash points, the tests, this command line."""

NEEDED = dict.fromkeys(("TABLING_KEY", "TABLING_PASS_KEY", "TABLING_PHONE_KEY"), "0" * SHORTEST_KEY)
"""What no service can do without: it would look no further."""

WHO = (*SERVICES, "embedded", "operations")


async def variables(around: Surroundings) -> AsyncIterator[Finding]:
    """Every TABLING_ variable that is set."""
    settings = []
    for service in present():
        try:
            settings.append(around.settings(service))
        except SettingsError as error:
            yield Finding(Severity.WRONG, service, str(error), "set it to what is wanted")
    for finding in (*_unknown(around), *_shared(settings), *_alone(settings)):
        yield finding


def known() -> set[str]:
    """All variables that any service looks at, for all services and for one."""
    nothing_set = Surroundings(Path(), {}, NEEDED, {})
    names = {variable.removeprefix("TABLING_") for service in present() for variable in asked(service, nothing_set)}
    of_one = {f"TABLING_{who.upper()}_{name}" for name in names for who in WHO}
    return of_one | {f"TABLING_{name}" for name in names} | OTHERS


def _unknown(around: Surroundings) -> Iterator[Finding]:
    names = known()
    for variable in sorted(around.variables):
        if variable.startswith("TABLING_") and variable not in names:
            alike = get_close_matches(variable, names, 1, 0.8)
            fix = f"did you mean {alike[0]}?" if alike else "leave it out; `scripts/ops settings` lists those there are"
            yield Finding(Severity.WRONG, around.origin(variable), f"nothing reads {variable}", fix)


def _shared(settings: Iterable[Settings]) -> Iterator[Finding]:
    """What each service must have for itself."""
    owners: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in settings:
        owners["DATABASE", each.database].append(each.service)
        # on the memory bus all services are one process, and show their figures on one port
        metrics = each.metrics_listen if each.bus != "memory" else ""
        for name, listen in (("LISTEN", each.listen), ("METRICS_LISTEN", metrics)):
            # on any address of its own machine, or on any port
            if listen and not listen.endswith(":0") and not listen.startswith(("0.0.0.0:", "[::]:")):
                owners[name, listen].append(each.service)
    for (name, value), services in owners.items():
        if len(services) > 1:
            value = shown(value) if name == "DATABASE" else value
            fix = " or ".join(f"TABLING_{service.upper()}_{name}" for service in services)
            yield Finding(Severity.WRONG, " and ".join(services), f"both have {name} {value}", f"name another in {fix}")


def _alone(settings: Iterable[Settings]) -> Iterator[Finding]:
    """Databases on servers are shared by processes; the memory bus is not."""
    for each in settings:
        if each.bus == "memory" and "://" in each.database and not each.database.startswith("sqlite:"):
            yield Finding(
                Severity.RISKY,
                each.service,
                "its database is on a server, yet its bus is in its own process: nobody else hears its events",
                "set TABLING_BUS to the amqp:// address of RabbitMQ, for all services",
            )
    buses = {each.bus for each in settings}
    if len(buses) > 1:
        yield Finding(
            Severity.WRONG, "all services", "they are not on the same bus", "set TABLING_BUS alike for all services"
        )
