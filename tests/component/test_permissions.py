"""Every method, called by everybody there is: who gets in, who hears that there is no such thing, who is sent away."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2

from services.chassis.callers import PASS, Identity, as_principal, as_service
from services.chassis.grpc_errors import DETAILS_KEY
from services.chassis.testing import eventually
from services.permissions import PERMISSIONS
from tabling.dashboard.v1 import dashboard_service_pb2 as dashboard
from tabling.management.v1 import management_service_pb2 as management
from tabling.messaging.v1 import event_feed_service_pb2 as feeds
from tabling.notification.v1 import notification_service_pb2 as notification
from tabling.reception.v1 import contact_service_pb2 as contacts
from tabling.reception.v1 import reception_service_pb2 as reception
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import seat_service_pb2 as seat
from tests.component.five import STORE, Five, five
from tests.entitled import KEYS

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICES = {
    "reception": reception.DESCRIPTOR.services_by_name["ReceptionService"],
    "contact": contacts.DESCRIPTOR.services_by_name["ContactService"],
    "seat": seat.DESCRIPTOR.services_by_name["SeatService"],
    "management": management.DESCRIPTOR.services_by_name["ManagementService"],
    "dashboard": dashboard.DESCRIPTOR.services_by_name["DashboardService"],
    "notification": notification.DESCRIPTOR.services_by_name["NotificationService"],
    "feed": feeds.DESCRIPTOR.services_by_name["EventFeedService"],
}
METHODS = [method for service in SERVICES.values() for method in service.methods]
HOST = {"contact": "reception", "feed": "seat"}
"""Services that have no process of their own."""

OWN, ELSEWHERE = STORE, "stores/elsewhere"
OUT, DENIED, HIDDEN, IN = "-", "x", "?", "+"
"""UNAUTHENTICATED; PERMISSION_DENIED; NOT_FOUND, as what does not exist; let in, whatever the answer is."""

WHO = (
    "past the gateway", "anybody", "wrong pass", "pass", "customer", "stranger", "backend", "other backend",
    "host", "host elsewhere", "manager", "manager elsewhere", "operator", "service",
)  # fmt: skip

# in the order of WHO; written by hand, so that the table of the product is held against something
EXPECTED = {
    #                        past any  wro pas  cus str  bac oth  hos els  man els  ope ser
    "CreateReception":      "-   +    +   +    +   x    +   x    +   ?    +   ?    +   +",
    "CreateReceptions":     "-   -    -   -    x   x    +   +    x   x    x   x    x   x",
    "GetReception":         "-   ?    ?   +    +   ?    +   ?    +   ?    +   ?    +   ?",
    "GetPlace":             "-   ?    ?   +    +   ?    +   ?    +   ?    +   ?    +   ?",
    "WatchReception":       "-   ?    ?   +    +   ?    +   ?    +   ?    +   ?    +   ?",
    "CancelReception":      "-   ?    ?   +    +   ?    +   ?    ?   ?    ?   ?    ?   ?",
    "PostponeReception":    "-   ?    ?   +    +   ?    +   ?    ?   ?    ?   ?    ?   ?",
    "ListReceptions":       "-   -    -   -    +   +    +   +    +   ?    +   ?    +   x",
    "BatchGetContacts":     "-   -    -   -    x   x    x   x    x   x    x   x    x   +",
    "ReadSnapshots":        "-   -    -   -    x   x    x   x    x   x    x   x    x   +",
    **dict.fromkeys(
        ("CheckSeats", "GetAvailability", "SearchStores", "GetStoreView", "WatchStore"),
                             "-   +    +   +    +   +    +   +    +   +    +   +    +   +",
    ),
    **dict.fromkeys(
        ("GetTable", "ListTables", "GetStore", "GetOrder", "ListOrders", "GetStoreBoard", "GetDayFigures"),
                             "-   -    -   -    x   x    x   x    +   ?    +   ?    +   x",
    ),
    **dict.fromkeys(
        ("CreateTable", "BatchCreateTables", "UpdateTable", "UpdateStore"),
                             "-   -    -   -    x   x    x   x    x   x    +   ?    x   x",
    ),
    **dict.fromkeys(
        ("BlockTable", "UnblockTable", "OpenStore", "PauseStore", "CloseStore", "RegisterWalkIn", "CallNextOrder",
         "GetPresenceCode", "AcceptOrder", "DeclineOrder", "CallOrder", "SeatOrder", "CompleteOrder", "CancelOrder",
         "MarkOrderNoShow", "RestoreOrder"),
                             "-   -    -   -    x   x    x   x    +   ?    +   ?    x   x",
    ),
    **dict.fromkeys(
        ("CreateStore", "ListStores", "GetNotice", "ListNotices"),
                             "-   -    -   -    x   x    x   x    x   x    x   x    +   x",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """The five services, a party, and a notice to it."""

    here: Five
    channels: Mapping[str, grpc.aio.Channel]
    party: Reception
    notice: str

    def identity(self, who: str) -> Identity:
        """What somebody's calls carry."""
        anybody = as_service(KEYS, "")[:1]
        wrong = f"{'B' if self.party.reception_pass[0] == 'A' else 'A'}{self.party.reception_pass[1:]}"
        staff = {"aud": "tabling-staff", "sub": "kim"}
        here, there = {"stores": [OWN.split("/")[1]]}, {"stores": [ELSEWHERE.split("/")[1]]}
        return {
            "past the gateway": as_principal((), aud="tabling-operator", sub="mallory"),
            "anybody": anybody,
            "wrong pass": (*anybody, (PASS, wrong)),
            "pass": (*anybody, (PASS, self.party.reception_pass)),
            "customer": as_principal(KEYS, aud="tabling-customer", sub="app-anna"),
            "stranger": as_principal(KEYS, aud="tabling-customer", sub="app-mallory"),
            "backend": as_principal(KEYS, aud="tabling-backend", sub="app", customers="app-"),
            "other backend": as_principal(KEYS, aud="tabling-backend", sub="other", customers="other-"),
            "host": as_principal(KEYS, **staff, role="host", **here),
            "host elsewhere": as_principal(KEYS, **staff, role="host", **there),
            "manager": as_principal(KEYS, **staff, role="manager", **here),
            "manager elsewhere": as_principal(KEYS, **staff, role="manager", **there),
            "operator": as_principal(KEYS, aud="tabling-operator", sub="root"),
            "service": as_service(KEYS, "notification"),
        }[who]


def request_for(method: MethodDescriptor, scene: Scene, who: str) -> Any:
    """A request about the store, the party or one of its tables that everybody would get right."""
    message: Any = GetMessageClass(method.input_type)()
    fields = method.input_type.fields_by_name
    own = {
        "reception": scene.party.name,
        "place": f"{scene.party.name}/place",
        "order": scene.party.name.replace("receptions", "orders"),
        "store": OWN,
        "table": f"{OWN}/tables/t1",
        "board": f"{OWN}/board",
        "figures": f"{OWN}/figures/2026-03-02",
        "view": f"{OWN}/view",
        "availability": f"{OWN}/availability",
        "notice": scene.notice,
        "presence code": f"{OWN}/presenceCode",
    }
    if "name" in fields:
        message.name = own[_kind_of(method.name)]
    if "parent" in fields:
        message.parent = OWN
    if "parties" in fields:
        message.parties = 1
    if method.name == "CreateReception":
        message.reception.party_size = 2
        if who in ("customer", "stranger", "backend", "other backend"):
            message.reception.customer = "customers/app-anna"
    if method.name == "ListReceptions":
        message.customer = "customers/app-anna"
    for inner in ("store", "table"):
        if method.name == f"Update{inner.capitalize()}":
            getattr(message, inner).name = own[inner]
    return message


def _kind_of(method: str) -> str:
    kinds = {"GetPlace": "place", "GetStoreBoard": "board", "GetDayFigures": "figures", "GetStoreView": "view"}
    kinds |= {
        "GetPresenceCode": "presence code",
        "WatchStore": "view",
        "GetAvailability": "availability",
        "MarkOrderNoShow": "order",
    }
    if method in kinds:
        return kinds[method]
    return next(kind for kind in ("reception", "order", "store", "table", "notice") if method.lower().endswith(kind))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with five(tmp_path_factory.mktemp("five")) as here:
        await here.open_store(2)
        anna = as_principal(KEYS, aud="tabling-customer", sub="app-anna")
        targets = {name: service.frame.settings.listen for name, service in here.services.items()}
        channels = {name: grpc.aio.insecure_channel(target) for name, target in targets.items()}
        join: Any = reception.CreateReceptionRequest(parent=OWN, reception=Reception(party_size=2, phone="01012345678"))
        call: Any = channels["reception"].unary_unary(
            _path(SERVICES["reception"].methods_by_name["CreateReception"]),
            request_serializer=reception.CreateReceptionRequest.SerializeToString,
            response_deserializer=Reception.FromString,
        )
        party = await call(join, metadata=anna)
        notices = await eventually(lambda: _notices(here))
        yield Scene(here, channels, party, notices[0].name)
        for channel in channels.values():
            await channel.close()


async def _notices(here: Five) -> list[Any]:
    return list((await here.notices.ListNotices(notification.ListNoticesRequest())).notices)


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


@dataclass(frozen=True)
class Ending:
    """How a call ended: its code, and all that was said."""

    code: grpc.StatusCode
    said: bytes


async def ending(scene: Scene, method: MethodDescriptor, request: Any, identity: Identity) -> Ending:
    """Make one call, of a stream only as far as its first answer."""
    [name] = [name for name, service in SERVICES.items() if service is method.containing_service]
    channel = scene.channels[HOST.get(name, name)]
    kind = {(False, False): "unary_unary", (False, True): "unary_stream", (True, True): "stream_stream"}
    make: Callable[..., Any] = getattr(channel, kind[method.client_streaming, method.server_streaming])(_path(method))
    body = request.SerializeToString()
    try:
        if not method.server_streaming:
            await make(body, metadata=identity, timeout=20)
        else:
            call = make(iter([body]) if method.client_streaming else body, metadata=identity, timeout=20)
            await call.read()
            call.cancel()
        return Ending(grpc.StatusCode.OK, b"")
    except grpc.aio.AioRpcError as error:
        details = dict(error.trailing_metadata() or ()).get(DETAILS_KEY, b"")
        return Ending(error.code(), bytes(details))


async def test_the_table_has_every_method_and_no_other() -> None:
    every = {_path(method)[1:] for method in METHODS}
    assert PERMISSIONS.keys() == every
    assert EXPECTED.keys() == {method.name for method in METHODS}


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_everybody_gets_in_where_they_belong_and_nowhere_else(
    scene: Scene, method: MethodDescriptor, who: str
) -> None:
    request = request_for(method, scene, who)
    answer = await ending(scene, method, request, scene.identity(who))
    wanted = EXPECTED[method.name].split()[WHO.index(who)]
    by_code = {
        grpc.StatusCode.UNAUTHENTICATED: OUT,
        grpc.StatusCode.PERMISSION_DENIED: DENIED,
        grpc.StatusCode.NOT_FOUND: HIDDEN,
    }
    assert by_code.get(answer.code, IN) == wanted, status_pb2.Status.FromString(answer.said)
