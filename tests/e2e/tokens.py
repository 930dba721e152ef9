"""Tokens, good ones and such as nobody must believe."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from services.local.gateway_settings import ISSUER
from services.local.keys import Keys

HOUR = 3600
DAY = 24 * HOUR
SKEW = 30
"""By how many seconds the gateway's clock may differ from the issuer's."""


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Signer:
    """Who signs tokens."""

    kid: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=_new_key)

    @classmethod
    def of(cls, keys: Keys) -> Self:
        """The one of a system."""
        key = serialization.load_pem_private_key(keys.signing.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        [told] = json.loads(keys.jwks.read_bytes())["keys"]
        return cls(told["kid"], key)

    @property
    def public(self) -> dict[str, Any]:
        """Its public key, as a JWK."""
        return {
            **ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True),
            "kid": self.kid,
            "use": "sig",
            "alg": "ES256",
        }

    @property
    def pem(self) -> bytes:
        """Its public key, as everybody can have it."""
        kind = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.PEM, kind)

    def token(self, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """An operator's token but for these claims; a None leaves one out, of the header, too."""
        told = {name: value for name, value in {"kid": self.kid, **(header or {})}.items() if value is not None}
        return jwt.encode(claimed(**claims), self.key, algorithm="ES256", headers=told)


def claimed(**claims: Any) -> dict[str, Any]:
    """What an operator's token claims, but for these; a None leaves one out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": "tabling-operator", "sub": "root", "iat": now, "nbf": now, "exp": now + HOUR}
    return {name: value for name, value in {**usual, **claims}.items() if value is not None}


def jwks(*signers: Signer) -> str:
    """What an issuer tells of its keys."""
    return json.dumps({"keys": [signer.public for signer in signers]})


def at(seconds: float) -> int:
    """A time from now."""
    return int(time.time() + seconds)


def _segment(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _by_hand(header: Mapping[str, Any], sign: Callable[[bytes], bytes], **claims: Any) -> str:
    told = f"{_segment(header)}.{_segment(claimed(**claims))}"
    return f"{told}.{_segment(sign(told.encode()))}"


def _unsigned(algorithm: str) -> Callable[[Signer], str]:
    return lambda signer: _by_hand({"alg": algorithm, "kid": signer.kid}, lambda told: b"")


def _symmetric(key_of: Callable[[Signer], bytes]) -> Callable[[Signer], str]:
    """Signed with what everybody knows, as if that were a secret."""

    def made(signer: Signer) -> str:
        header = {"alg": "HS256", "kid": signer.kid}
        return _by_hand(header, lambda told: hmac.digest(key_of(signer), told, hashlib.sha256))

    return made


def _promoted(signer: Signer) -> str:
    """A customer's token in which somebody wrote that it is an operator's."""
    header, _, signature = signer.token(aud="tabling-customer").split(".")
    return f"{header}.{_segment(claimed())}.{signature}"


BAD: Mapping[str, Callable[[Signer], str]] = {
    "expired": lambda signer: signer.token(iat=at(-2 * HOUR), nbf=at(-2 * HOUR), exp=at(-2 * SKEW)),
    "not yet valid": lambda signer: signer.token(nbf=at(HOUR / 2)),
    "without a signature": _unsigned("none"),
    "without a signature, spelt otherwise": _unsigned("nOnE"),
    "of no known algorithm": _unsigned("ES256K"),
    "HS256 with the public key": _symmetric(lambda signer: signer.pem),
    "HS256 with the public key as a JWK": _symmetric(lambda signer: json.dumps(signer.public).encode()),
    "of an unknown key": lambda signer: Signer("unknown").token(),
    "of another key by the same name": lambda signer: Signer(signer.kid).token(),
    "of another key without a name": lambda signer: Signer(signer.kid).token({"kid": None}),
    "of another key that it brings along": lambda signer: (other := Signer(signer.kid)).token({"jwk": other.public}),
    "whose signature is zero": lambda signer: _by_hand({"alg": "ES256", "kid": signer.kid}, lambda told: bytes(64)),
    "whose signature is cut off": lambda signer: signer.token().rpartition(".")[0] + ".",
    "that was changed": _promoted,
    "for another audience": lambda signer: signer.token(aud="another-system"),
    "for nobody": lambda signer: signer.token(aud=None),
    "of another issuer": lambda signer: signer.token(iss="https://issuer.example"),
    "of no issuer": lambda signer: signer.token(iss=None),
    "without an end": lambda signer: signer.token(exp=None),
    "too long-lived": lambda signer: signer.token(exp=at(2 * DAY)),
    "too long-lived, made nobody knows when": lambda signer: signer.token(exp=at(2 * DAY), iat=None, nbf=None),
    "too long-lived, made in the future": lambda signer: signer.token(exp=at(2 * DAY), iat=at(2 * DAY - HOUR)),
    "that is none": lambda signer: "x",
    "of three words": lambda signer: "a.b.c",
}
"""What makes a token bad → such a one, of this signer or of who would like to be it."""
