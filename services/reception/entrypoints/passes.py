"""Passes: the secret that lets the holder see and change one reception. None is kept: each follows from a key."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

from services.chassis.permissions import admission
from services.reception.domain.holder import Holder

BYTES = 16


class Passes:
    """Makes and knows passes. `keys` are those of this installation for passes, the newest first.

    `forgotten_before()`: when a reception must have ended at the latest for its pass to open nothing any more.
    """

    def __init__(self, keys: Sequence[str], forgotten_before: Callable[[], datetime]) -> None:
        self._keys = [key.encode() for key in keys]
        self._forgotten_before = forgotten_before

    def of(self, name: str) -> str:
        """The pass of the reception with this name: 128 bits (RFC 2104), as 22 characters."""
        return _pass(self._keys[0], name)

    def holder(self, name: str) -> Holder:
        """Who makes the present call, as to the reception with this name."""
        present = admission.get()
        shown = present.secret.encode()
        has_pass = bool(shown) and any(hmac.compare_digest(shown, _pass(key, name).encode()) for key in self._keys)
        return Holder(present.caller, has_pass, not present.only_own, self._forgotten_before(), present.address)


def _pass(key: bytes, name: str) -> str:
    made = hmac.digest(key, name.encode(), hashlib.sha256)[:BYTES]
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()
