"""The tables of docs/scaling.md, in Markdown."""

import re
from collections.abc import Iterable, Sequence

from scripts.bench.capacity.model import Model

LOADS = (1_000, 100_000, 10_000_000)
SERVICES = ("reception", "seat", "management", "dashboard", "notification")
SERVERS = ("PostgreSQL", "MariaDB", "RabbitMQ")


def all_tables(model: Model) -> dict[str, str]:
    """Each by its name."""
    return {"cost": _cost(model), "left": _left(model), "machines": _machines(model)}


def filled(document: str, model: Model) -> str:
    """The document with its tables as the model has them now."""
    for name, table in all_tables(model).items():
        mark = f"<!-- {name}: made by scripts.bench.capacity -->\n"
        # a table goes on as long as its lines do
        before, found, after = document.partition(mark)
        rest = re.sub(r"\A(?:\|.*\n)*", "", after)
        document = f"{before}{found}{table}\n{rest}" if found else before
    return document


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _cost(model: Model) -> str:
    head = ("joins/s", "cores used", "CPU ms per join", *(f"of it {name}" for name in (*SERVICES, *SERVERS)))
    rows = [
        (
            f"{load['rate']:g}",
            f"{load['rate'] * load['cpu_us'] / 1e6:.2f}",
            f"{load['cpu_us'] / 1e3:.1f}",
            *(f"{load['by_process'].get(name, 0) / 1e3:.2f}" for name in (*SERVICES, *SERVERS)),
        )
        for load in model.measured["loads"]
    ]
    return _table(head, rows)


def _left(model: Model) -> str:
    saga, life, kept = (model.measured[name] for name in ("saga", "life", "kept"))
    rows = [
        ("events published", f"{saga['events']:g}", f"{life['events']:g}"),
        ("AMQP messages published", f"{saga['messages']:g}", f"{life['messages']:g}"),
        ("bytes of them", f"{saga['message_bytes']:,}", f"{life['message_bytes']:,}"),
        ("bytes of PostgreSQL's WAL", *(f"{each['log_bytes']['postgresql']:,}" for each in (saga, life))),
        ("bytes of MariaDB's log", *(f"{each['log_bytes']['mariadb']:,}" for each in (saga, life))),
        *((f"commits of {name}", f"{saga['commits'][name]:g}", f"{life['commits'][name]:g}") for name in SERVICES),
        *((f"rows kept by {name}", f"{kept['rows'][name]:g}", "") for name in SERVICES),
        *((f"bytes kept by {name}", f"{kept['bytes'][name]:,}", "") for name in SERVICES),
    ]
    return _table(("of one party", "joining", "its whole life"), rows)


def _machines(model: Model) -> str:
    needs = [model.need(load) for load in LOADS]
    rows = [
        ("joins a second, mean", *(f"{need.mean:,.1f}" for need in needs)),
        ("joins a second, busiest minute", *(f"{need.peak:,.1f}" for need in needs)),
        ("installations (cells)", *(f"{need.cells}" for need in needs)),
        ("cores used by sagas", *(f"{need.saga_cores:,.1f}" for need in needs)),
        ("cores used by watchers", *(f"{need.watch_cores:,.1f}" for need in needs)),
        (f"machines of {model.assumed.cores_a_machine} cores", *(f"{need.machines:,}" for need in needs)),
        ("logs written, MB/s", *(f"{need.log_mb:,.2f}" for need in needs)),
        ("into RabbitMQ, messages/s at most", *(f"{need.messages:,.0f}" for need in needs)),
        ("into RabbitMQ, MB/s", *(f"{need.broker_mb:,.2f}" for need in needs)),
        ("kept, GB an hour", *(f"{need.kept_gb_an_hour:,.2f}" for need in needs)),
        ("open watches", *(f"{need.streams:,.0f}" for need in needs)),
        ("memory of them, GB", *(f"{need.stream_gb:,.2f}" for need in needs)),
        ("notices a second", *(f"{need.notices:,.1f}" for need in needs)),
    ]
    return _table(("joins an hour", *(f"{load:,}" for load in LOADS)), rows)
