"""Phone numbers at rest: sealed, and known again by a keyed hash."""

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
ID_LENGTH = 8

PLAIN = "plain"
"""In the place of a key's id: a number that was not sealed, or of which nobody has looked whether there is one."""


class Unreadable(Exception):
    """A number was sealed with a key that is not here, or for another reception."""


class Vault:
    """Seals numbers with the newest of `keys`, and opens what any of them has sealed.

    AES-256-GCM (NIST SP 800-38D) with a random nonce; what is sealed can be opened for its own reception only.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._sealing = {_derived(key, "id").hex()[:ID_LENGTH]: AESGCM(_derived(key, "seal")) for key in keys}
        self._hashing = [_derived(key, "hash") for key in keys]
        self.newest = next(iter(self._sealing))

    def seal(self, phone: str, reception_id: str) -> str:
        """The number as it is kept: `<key's id>.<base64>`."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._sealing[self.newest].encrypt(nonce, phone.encode(), reception_id.encode())
        return f"{self.newest}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, reception_id: str) -> str:
        """The number. Raises `Unreadable`."""
        whole = base64.b64decode(sealed.partition(".")[2])
        try:
            key = self._sealing[key_id(sealed)]
            return key.decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], reception_id.encode()).decode()
        except (KeyError, InvalidTag) as error:
            raise Unreadable(f"the number of reception {reception_id} cannot be opened with the keys given") from error

    @property
    def key_ids(self) -> Sequence[str]:
        """Of the keys that are here, the newest first."""
        return [*self._sealing]

    def hashes(self, told: str) -> list[str]:
        """What tells one number, or address, from another, under each key, the newest first: 64 digits."""
        return [hmac.digest(key, told.encode(), hashlib.sha256).hex() for key in self._hashing]


def key_id(sealed: str) -> str:
    """The id of the key that sealed a number."""
    return sealed.partition(".")[0]


def _derived(key: str, purpose: str) -> bytes:
    return hmac.digest(key.encode(), f"tabling phone {purpose}".encode(), hashlib.sha256)
