"""RabbitMQ's management plugin, where there is one: what AMQP itself does not tell."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from services.chassis.bus.topology import Topology
from services.operations.doctor.finding import Finding, Severity
from services.operations.printing import masked

PORT = 15672
SECONDS = 3.0

HARMFUL = (
    "message-ttl",
    "expires",
    "max-length",
    "max-length-bytes",
    "overflow",
    "delivery-limit",
    "dead-letter-exchange",
)
"""What a policy would change of what the queues were declared with."""


async def management(bus: str, wanted: Topology, url: str) -> AsyncIterator[Finding]:
    """Bindings, policies and alarms, asked at `url`, or where the plugin listens when nothing else is said."""
    broker = URL(bus)
    base = URL(url) if url else URL.build(scheme="http", host=broker.host or "localhost", port=PORT)
    user = (base.user or broker.user or "guest", base.password or broker.password or "guest")
    vhost = quote(broker.path.removeprefix("/") or "/", safe="")
    asking = _Asking(base.with_user(None), aiohttp.encode_basic_auth(*user), vhost)
    where = masked(bus)
    try:
        bindings, policies, nodes = await asking.get("bindings"), await asking.get("policies"), await asking.nodes()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        what = f"bindings, policies and the kind of an alarm were not looked at: no management plugin at {asking.base}"
        fix = "`rabbitmq-plugins enable rabbitmq_management`, or name its address in TABLING_BUS_MANAGEMENT"
        yield Finding(Severity.NOTE, where, what, fix)
        return
    for finding in (*_bindings(where, wanted, bindings), *_policies(where, wanted, policies), *_nodes(where, nodes)):
        yield finding


class _Asking:
    def __init__(self, base: URL, user: str, vhost: str) -> None:
        self.base = base
        self._user = user
        self._vhost = vhost

    async def get(self, what: str) -> Any:
        """All of a virtual host's bindings or policies."""
        return await self._fetch(f"/api/{what}/{self._vhost}")

    async def nodes(self) -> Any:
        """The cluster's nodes."""
        return await self._fetch("/api/nodes")

    async def _fetch(self, path: str) -> Any:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        headers = {"Authorization": self._user}
        address = URL(f"{str(self.base).rstrip('/')}{path}", encoded=True)
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers, raise_for_status=True) as http,
            http.get(address) as answer,
        ):
            return await answer.json()


def _bindings(where: str, wanted: Topology, found: list[Mapping[str, Any]]) -> Iterator[Finding]:
    there = {(each["source"], each["routing_key"], each["destination"]) for each in found}
    for binding in wanted.bindings():
        if (binding.source, binding.key, binding.destination) not in there:
            what = f"nothing leads from {binding.source} to {binding.destination} for {binding.key or 'all'}"
            yield Finding(Severity.WRONG, where, what, "`scripts/ops topology --declare`, or start the services")


def _policies(where: str, wanted: Topology, found: list[Mapping[str, Any]]) -> Iterator[Finding]:
    for policy in found:
        touched = [queue.name for queue in wanted.queues() if re.search(policy["pattern"], queue.name)]
        harm = sorted(set(policy["definition"]) & set(HARMFUL))
        if touched and harm and policy.get("apply-to") != "exchanges":
            what = f"policy {policy['name']} sets {', '.join(harm)} on {', '.join(touched[:3])}"
            fix = f"`rabbitmqctl clear_policy {policy['name']}`, or a pattern that leaves these queues out"
            yield Finding(Severity.RISKY, where, what, fix)


def _nodes(where: str, found: list[Mapping[str, Any]]) -> Iterator[Finding]:
    for node in found:
        if not node.get("running", True):
            fix = f"start it: with too few nodes quorum queues stand still ({len(found)} in all)"
            yield Finding(Severity.WRONG, where, f"node {node['name']} does not run", fix)
        for alarm, what in (("mem_alarm", "memory"), ("disk_free_alarm", "disk")):
            if node.get(alarm):
                fix = "make room; `rabbitmq-diagnostics alarms` tells the limits"
                yield Finding(Severity.WRONG, where, f"node {node['name']} is short of {what}", fix)
        free, limit = node.get("disk_free", 0), node.get("disk_free_limit", 0)
        if free and limit and free < 2 * limit and not node.get("disk_free_alarm"):
            what = (
                f"node {node['name']} has {free / 1024**2:,.0f} MiB of disk left, and stops at {limit / 1024**2:,.0f}"
            )
            yield Finding(Severity.RISKY, where, what, "make room")
