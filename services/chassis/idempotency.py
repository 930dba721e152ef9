"""Request ids (AIP-155): the same id brings the first answer again."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection, Table

from services.chassis.kernel import RequestIdReused, invalid
from services.chassis.statements import rows_by_key
from services.chassis.writes import Writes

M = TypeVar("M", bound=Message)

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Requests:
    """Answers of mutations that succeeded, by request id."""

    def __init__(self, connection: Connection, table: Table, now: datetime) -> None:
        self._connection = connection
        self._table = table
        self._now = now
        self._known: dict[str, tuple[str, bytes] | None] = {}
        self._new: dict[str, tuple[str, bytes]] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Look up which of these request ids have an answer."""
        unknown = [key for key in keys if key not in self._known]
        if not unknown:
            return
        self._known.update(dict.fromkeys(unknown))
        for row in rows_by_key(self._connection, self._table, unknown):
            self._known[row["id"]] = (row["fingerprint"], row["response"])

    def answer(self, key: str, fingerprints: Sequence[str]) -> bytes | None:
        """The first answer, or None. Raises `RequestIdReused` when its content has none of these fingerprints."""
        if key not in self._known:
            self.preload((key,))
        known = self._known[key]
        if known is None:
            return None
        if known[0] not in fingerprints:
            raise RequestIdReused(f"request_id {key} was used before with other content")
        return known[1]

    def remember(self, key: str, fingerprint: str, response: bytes) -> None:
        """Keep the answer with this transaction."""
        self._known[key] = self._new[key] = (fingerprint, response)

    def flush(self, writes: Writes) -> None:
        """Hand over the new answers."""
        rows = [
            {"id": key, "fingerprint": fingerprint, "response": response, "created_at": self._now}
            for key, (fingerprint, response) in self._new.items()
        ]
        writes.insert(self._table, rows)
        self._new = {}


def request_key(request_id: str) -> str:
    """The canonical form of a request id. Raises `InvalidField` when it is not a UUID."""
    if not _UUID.fullmatch(request_id):
        raise invalid("request_id", "is not a UUID")
    return request_id.lower()


def fingerprints(keys: Sequence[str], method: str, by: str, request: Message) -> list[str]:
    """Hashes of who asked for what: the same for the same method and content, asked `by` the same caller.

    One under each key, so that from none of them the content, a phone number maybe, can be found out by trying.
    """
    asked = f"{method}\0{by}\0".encode() + request.SerializeToString(deterministic=True)
    return [hmac.digest(key.encode(), asked, hashlib.sha256).hex() for key in keys]
