"""Proof of presence: a code on the store's display, another one every minute."""

import hashlib
import hmac
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 60
DIGITS = 8


class Code(NamedTuple):
    """What a display shows, and until when."""

    digits: str
    expires_at: datetime


class Presence:
    """Makes and knows the codes of stores (RFC 6238). `keys` are those of which passes are made, the newest first.

    A code is good while it is shown and a step longer, for whoever types it; and a step early, for clocks differ. Of a
    hundred million codes three are good at a time: who tries ten a second needs, on average, more than a month of
    tries to get into the line once, which everybody at the door can do.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = keys

    def shown(self, store_id: str, now: datetime) -> Code:
        """The code of this moment."""
        step = math.floor(now.timestamp() / STEP_SECONDS)
        digits = _codes(self._keys[0], store_id).generate(step * STEP_SECONDS).decode()
        return Code(digits, datetime.fromtimestamp((step + 1) * STEP_SECONDS, UTC))

    def knows(self, digits: str, store_id: str, now: datetime) -> bool:
        """Whether this code was on the store's display just now. Several parties may show the same."""
        moments = [math.floor(now.timestamp()) + steps * STEP_SECONDS for steps in (0, -1, 1)]
        return bool(digits) and any(
            _is_good(_codes(key, store_id), digits, moment) for key in self._keys for moment in moments
        )


def _is_good(codes: TOTP, digits: str, moment: int) -> bool:
    with suppress(InvalidToken):
        codes.verify(digits.encode(), moment)
        return True
    return False


def _codes(key: str, store_id: str) -> TOTP:
    secret = hmac.digest(key.encode(), f"tabling presence stores/{store_id}".encode(), hashlib.sha256)
    return TOTP(secret, DIGITS, SHA256(), STEP_SECONDS)
