"""The keys of a system on one machine: made when it first starts, kept in its data folder for its owner's eyes only.

A cluster gets its keys from Secrets, and its tokens from whoever knows its people; here the system issues them itself.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from services.chassis.running import CannotRun
from services.local.gateway_settings import ISSUER, KEY_VARIABLE, Issuer

FOLDER = "keys"
JWKS = "jwks.json"
ALGORITHM = "ES256"
LIFETIME = timedelta(hours=12)


class KeysUnusable(CannotRun):
    """The keys cannot be written or read."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys in a data folder.

    `installation` opens the services' doors; of `passes` passes are made, by `phones` phone numbers are sealed; with
    `signing` tokens are signed, and `jwks` tells everybody how to know them.
    """

    installation: tuple[str, ...]
    passes: tuple[str, ...]
    phones: tuple[str, ...]
    signing: Path
    jwks: Path

    @property
    def environment(self) -> dict[str, str]:
        """What the services are told of it."""
        keys = {KEY_VARIABLE: self.installation, "TABLING_PASS_KEY": self.passes, "TABLING_PHONE_KEY": self.phones}
        return {variable: " ".join(told) for variable, told in keys.items()}

    @property
    def issuer(self) -> Issuer:
        """Who issues tokens here."""
        return Issuer(name=ISSUER, jwks=self.jwks)

    def token(self, audience: str, subject: str, lifetime: timedelta = LIFETIME, **claims: Any) -> str:
        """A token for somebody, as a JWT."""
        now = int(time.time())
        given = {"iss": ISSUER, "aud": audience, "sub": subject, "iat": now, "nbf": now}
        given |= {"exp": now + int(lifetime.total_seconds()), **claims}
        key = self.signing.read_bytes()
        return jwt.encode(given, key, algorithm=ALGORITHM, headers={"kid": _only_key(self.jwks)["kid"]})


def of(data: Path) -> Keys:
    """The keys of the system in this data folder; those that are missing are made. Raises `KeysUnusable`."""
    folder = data / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        installation, passes, phones = (_words(folder / name) for name in ("installation", "passes", "phones"))
        _kept(folder / "signing.pem", new_key)
        jwks = _kept(folder / JWKS, lambda: _jwks((folder / "signing.pem").read_bytes()))
    except OSError as error:
        raise KeysUnusable(f"{folder} cannot hold the keys: {error.strerror}") from None
    except ValueError:
        raise KeysUnusable(f"{folder / 'signing.pem'} cannot be read: delete it and {folder / JWKS}") from None
    return Keys(installation, passes, phones, folder / "signing.pem", jwks)


def known(data: Path) -> Keys:
    """The keys of a system that was started in this data folder before. Raises `KeysUnusable`."""
    if not (data / FOLDER / JWKS).exists():
        raise KeysUnusable(f"no system was ever started on {data}: type scripts/up first, or name another with --data")
    return of(data)


def write(file: Path, content: bytes) -> None:
    """Write a secret, whole or not at all, for its owner's eyes only."""
    new = file.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as to:
        to.write(content)
    new.replace(file)


def new_key() -> bytes:
    """A private key for signing, as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _kept(file: Path, made: Callable[[], bytes]) -> Path:
    if not file.exists():
        write(file, made())
    return file


def private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key among these. Raises `ValueError`."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("no key of an elliptic curve")
    return key


def _words(file: Path) -> tuple[str, ...]:
    """Keys with blanks between, the first is the one that is used."""
    return tuple(_kept(file, lambda: secrets.token_hex(32).encode()).read_text().split())


def _jwks(pem: bytes) -> bytes:
    key = ECAlgorithm.to_jwk(private(pem).public_key(), as_dict=True)
    told = {**key, "kid": secrets.token_hex(8), "use": "sig", "alg": ALGORITHM}
    return json.dumps({"keys": [told]}).encode()


def _only_key(jwks: Path) -> Mapping[str, Any]:
    [key] = json.loads(jwks.read_bytes())["keys"]
    return dict(key)
