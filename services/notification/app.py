"""Composition root: notification from its parts."""

import asyncio
from datetime import timedelta
from functools import partial

from services.chassis.bus import Bus
from services.chassis.callers import as_service
from services.chassis.calls import saga_after
from services.chassis.clock import Clock
from services.chassis.housekeeping import delete_ended
from services.chassis.service import Frame, Parts, Service
from services.chassis.settings import Settings
from services.notification.adapters import templates
from services.notification.adapters.budgets import SqlBudgets
from services.notification.adapters.contacts import ReceptionContacts
from services.notification.adapters.figures import FIGURES
from services.notification.adapters.ledger import SqlLedger
from services.notification.adapters.queries import SqlQueries
from services.notification.adapters.tables import budgets, metadata
from services.notification.adapters.unit_of_work import NotificationUnitOfWork
from services.notification.adapters.vendors.alimtalk import LOCAL_ACCOUNT, AlimTalk
from services.notification.application.courier import Courier
from services.notification.application.forget import forget
from services.notification.entrypoints.consumer import handlers
from services.notification.entrypoints.reports import Reports
from services.notification.entrypoints.sender import Sender
from services.notification.entrypoints.servicer import NotificationServicer
from services.permissions import PERMISSIONS
from tabling.notification.v1.notification_service_pb2_grpc import add_NotificationServiceServicer_to_server


def build(settings: Settings, bus: Bus, clock: Clock) -> Service[NotificationUnitOfWork]:
    """The service, ready to run."""
    frame = Frame(settings, clock, metadata, NotificationUnitOfWork)
    registry = templates.load()
    reports = Reports(frame.telemetry)
    sender = Sender(SqlLedger(frame), SqlBudgets(frame), clock, reports)

    def committed(uow: NotificationUnitOfWork) -> None:
        reports.settled(uow.settled)
        if uow.decided:
            reports.decided(uow.causes)
            sender.hand_over(uow.decided)

    frame.on_commit.append(committed)

    async def send() -> None:
        await service.started.wait()
        alimtalk = AlimTalk(settings.kakao_url, LOCAL_ACCOUNT, registry)
        contacts = ReceptionContacts(settings.upstreams["reception"], as_service(settings.keys, "notification"))
        async with alimtalk, contacts, asyncio.TaskGroup() as group:
            group.create_task(alimtalk.register())
            await sender.serve(Courier(alimtalk, contacts))

    servicer = NotificationServicer(SqlQueries(frame.database))
    parts = Parts(
        grpc_services=("tabling.notification.v1.NotificationService",),
        permissions=PERMISSIONS,
        register=lambda server: add_NotificationServiceServicer_to_server(servicer, server),
        handlers=handlers(registry),
        figures=FIGURES,
        chores=(partial(forget, timedelta(days=settings.notice_days)), partial(delete_ended, budgets.c.forget_at)),
        # a notice is called `notices/{reception}-{purpose}-{round}`
        saga=saga_after("notices", ends="-"),
        loops=(send,),
    )
    service = Service(frame, bus, parts)
    return service
