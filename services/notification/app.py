"""Composition root: notification from its parts."""

import asyncio

from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.service import Frame, Parts, Service
from services.chassis.settings import Settings
from services.notification.adapters import templates
from services.notification.adapters.contacts import ReceptionContacts
from services.notification.adapters.ledger import SqlLedger
from services.notification.adapters.queries import SqlQueries
from services.notification.adapters.tables import metadata
from services.notification.adapters.unit_of_work import NotificationUnitOfWork
from services.notification.adapters.vendors.alimtalk import LOCAL_ACCOUNT, AlimTalk
from services.notification.application.courier import Courier
from services.notification.entrypoints.consumer import handlers
from services.notification.entrypoints.sender import Sender
from services.notification.entrypoints.servicer import NotificationServicer
from tabling.notification.v1.notification_service_pb2_grpc import add_NotificationServiceServicer_to_server


def build(settings: Settings, bus: Bus, clock: Clock) -> Service[NotificationUnitOfWork]:
    """The service, ready to run."""
    frame = Frame(settings, clock, metadata, NotificationUnitOfWork)
    registry = templates.load()
    sender = Sender(SqlLedger(frame), clock)

    def decided(uow: NotificationUnitOfWork) -> None:
        if uow.decided:
            sender.hand_over(uow.decided)

    frame.on_commit.append(decided)

    async def send() -> None:
        alimtalk = AlimTalk(settings.kakao_url, LOCAL_ACCOUNT, registry)
        contacts = ReceptionContacts(settings.upstreams["reception"])
        async with alimtalk, contacts, asyncio.TaskGroup() as group:
            group.create_task(alimtalk.register())
            await sender.serve(Courier(alimtalk, contacts))

    servicer = NotificationServicer(SqlQueries(frame.database))
    parts = Parts(
        grpc_services=("tabling.notification.v1.NotificationService",),
        register=lambda server: add_NotificationServiceServicer_to_server(servicer, server),
        handlers=handlers(registry),
        loops=(send,),
    )
    return Service(frame, bus, parts)
