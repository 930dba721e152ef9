"""The way into a pod as Istio's control plane makes it for the proxy there: certificates, who may call, tokens.

It is taken whole into an Envoy. Ours are only the certificates, which Istio's agent would bring, and what is behind.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from services.chassis.addresses import free_port
from services.chassis.testing import eventually
from services.local.child import Child, Program, ended
from services.local.gateway import command
from services.local.probe import fetch
from tests.mesh.certificates import Authority
from tests.mesh.control_plane import Changes, behind, istiod, on_one_machine, write
from tests.mesh.envoy import HOST, Json, address, cluster
from tests.mesh.istio import NAMESPACE, shipped
from tests.mesh.proxy import Node, Proxy

POD = "127.0.0.2"
TOLD_SECONDS = 30.0


class Pod(grpc.GenericRpcHandler):
    """A service that answers whatever it is asked; `seen` has the metadata of each call."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, str | bytes]] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        self.seen.append(dict(handler_call_details.invocation_metadata or ()))
        return grpc.unary_unary_rpc_method_handler(self._answer)

    async def _answer(self, request: bytes, context: object) -> bytes:
        return b""


@dataclass(frozen=True)
class WayIn:
    """Where a pod's proxy listens, who signs the mesh's certificates, and the pod."""

    port: int
    authority: Authority
    pod: Pod = field(default_factory=Pod)

    def channel(self, principal: str, authority: Authority | None = None) -> grpc.aio.Channel:
        """To the pod, as this service account."""
        return self._secure(*(authority or self.authority).issue(principal))

    def channel_of_nobody(self) -> grpc.aio.Channel:
        """To the pod by TLS, without a certificate of one's own."""
        return self._secure()

    def plain_channel(self) -> grpc.aio.Channel:
        """To the pod without TLS."""
        return grpc.aio.insecure_channel(f"{HOST}:{self.port}")

    def _secure(self, *own: bytes) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(self.authority.root, *own)
        return grpc.aio.secure_channel(f"{HOST}:{self.port}", credentials, [("grpc.ssl_target_name_override", "pod")])


@asynccontextmanager
async def way_in(folder: Path, service: str, changes: Changes | None = None) -> AsyncIterator[WayIn]:
    """Serves; `changes` are for objects that have to be others on this machine."""
    way = WayIn(free_port(), Authority())
    listener = await _listener(folder, service, way.port, changes or {})
    server, port = grpc.aio.server(), free_port()
    server.add_generic_rpc_handlers((way.pod,))
    server.add_insecure_port(f"{HOST}:{port}")
    file, admin = folder / "way-in.json", free_port()
    secret, certificate = way.authority.issue(f"cluster.local/ns/{NAMESPACE}/sa/{service}")
    own = {"certificate_chain": _inline(certificate), "private_key": _inline(secret)}
    secrets = [
        {"name": "default", "tls_certificate": own},
        {"name": "ROOTCA", "validation_context": {"trusted_ca": _inline(way.authority.root)}},
    ]
    resources = {"listeners": [listener], "clusters": [cluster(f"inbound|{way.port}||", port)], "secrets": secrets}
    file.write_text(json.dumps({"admin": {"address": address(admin)}, "static_resources": resources}), "utf-8")

    async def answers() -> bool:
        return await fetch(f"http://{HOST}:{admin}/ready") is not None

    program = Program(
        name="the pod's proxy",
        command=command(file, 1),
        log=folder / "way-in.log",
        answers=answers,
        explain=lambda text: text,
    )
    child = Child(program)
    async with ended([child]):
        await child.start()
        await child.ready()
        await server.start()
        try:
            yield way
        finally:
            await server.stop(None)


def _inline(pem: bytes) -> Json:
    return {"inline_string": pem.decode()}


async def _listener(folder: Path, service: str, port: int, changes: Changes) -> Json:
    """What istiod tells the proxy of a pod to listen to, on this port of this machine and on no other."""
    taken = {"port": {"number": port, "protocol": "GRPC", "name": "grpc"}, "bind": HOST, "captureMode": "NONE"}
    alone: Json = {
        "workloadSelector": {"labels": {"app.kubernetes.io/name": service}},
        "egress": [{"hosts": ["~/*"]}],
        "ingress": [{**taken, "defaultEndpoint": f"{HOST}:{port}"}],
    }
    ours: Changes = {
        "Sidecar": lambda spec: alone,
        **dict.fromkeys(("AuthorizationPolicy", "PeerAuthentication"), lambda spec: {}),
    }
    concerning = [each for each in shipped() if each["kind"] not in ("VirtualService", "DestinationRule")]
    pods = list(behind(shipped(), service, [f"{POD}:{port}"]))
    write(folder, "shipped", list(on_one_machine(concerning, {**ours, **changes})))
    write(folder, "pods", pods)
    told, istiod_port = pods[0]["metadata"], free_port()
    proxy = Proxy(folder, Node("sidecar", NAMESPACE, told["labels"], told["name"], POD, "NONE"), istiod_port)
    children = [istiod(folder, istiod_port), proxy.child]
    async with ended(children):
        await children[0].start()
        await children[0].ready()
        # which never listens: its agent would have to bring certificates first
        await proxy.child.start()

        async def found() -> Json | None:
            dump = await fetch(f"{proxy.admin_url}/config_dump?resource=dynamic_listeners") if proxy.is_up else None
            return next(iter(json.loads(dump or "{}").get("configs", ())), None)

        listener: dict[str, Any] = (await eventually(found, seconds=TOLD_SECONDS))["warming_state"]["listener"]
    return {name: _with_own_secrets(each) for name, each in listener.items() if name != "@type"}


def _with_own_secrets(part: Any) -> Any:
    """The same, but that secrets are those which Envoy's own configuration has under their names."""
    match part:
        case dict():
            return {name: _with_own_secrets(each) for name, each in part.items() if name != "sds_config"}
        case list():
            return [_with_own_secrets(each) for each in part]
    return part
