"""Reads of the ledger, straight into messages."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, bindparam, or_, select
from tabling.notification.v1 import notice_pb2, notification_service_pb2

from services.chassis import fields
from services.chassis.kernel import NotFound
from services.chassis.paging import page_position, page_size, page_token
from services.notification.adapters.rows import notice_from_row
from services.notification.adapters.tables import notices, receptions
from services.notification.domain.notice import Notice, State
from services.notification.domain.purpose import ReceptionState
