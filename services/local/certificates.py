"""The certificate of a system on one machine, and the authority that vouches for it: made at its first start.

Whoever calls by TLS is told to trust the authority. Of names it can vouch for localhost alone, but of IP addresses for
any. In a cluster TLS ends at the ingress, with a certificate of the cluster's own.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.chassis.logs import get_logger
from services.local.gateway_settings import Certificate
from services.local.keys import FOLDER, KeysUnusable, new_key, private, write

log = get_logger(__name__)

NAME = x509.DNSName("localhost")
ADDRESSES = [x509.IPAddress(IPv4Address("127.0.0.1")), x509.IPAddress(IPv6Address("::1"))]
AUTHORITY_LIFETIME = timedelta(days=3650)
LIFETIME = timedelta(days=90)
RENEWED_BEFORE = timedelta(days=30)
CLOCKS_DIFFER = timedelta(hours=1)

Now = Callable[[], datetime]


def of(data: Path, now: Now = lambda: datetime.now(UTC)) -> Certificate:
    """The certificate of the system in this data folder, made anew where it is missing or has not long to go.

    Raises `KeysUnusable`.
    """
    folder, vouching = data / FOLDER, authority(data)
    server, signing = folder / "server.pem", folder / "authority.key"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not _lasts(vouching, now()):
            key = new_key()
            write(signing, key)
            write(vouching, _authority(private(key), now()).public_bytes(Encoding.PEM))
        if not _lasts(server, now()) or not _vouches(vouching, server):
            key = new_key()
            made = _server(private(key), _certificate(vouching), private(signing.read_bytes()), now())
            # in one file, so that they are exchanged together
            write(server, key + made.public_bytes(Encoding.PEM))
    except OSError as error:
        raise KeysUnusable(f"{folder} cannot hold the certificate: {error.strerror}") from None
    except ValueError:
        raise KeysUnusable(f"a certificate or its key cannot be read: delete {vouching} and {server}") from None
    return Certificate(chain=server, key=server, authority=vouching)


def authority(data: Path) -> Path:
    """Where the certificate is of who vouches for the system in this data folder."""
    return data / FOLDER / "authority.pem"


async def keep(data: Path, look_every_seconds: float = 3600.0) -> None:
    """Renew the certificate whenever it is time; where that fails, the one there is lasts for many more looks."""
    while True:
        await asyncio.sleep(look_every_seconds)
        try:
            of(data)
        except KeysUnusable as error:
            log.error("certificate not renewed", error=str(error))


def _lasts(file: Path, now: datetime) -> bool:
    if not file.exists():
        return False
    return _certificate(file).not_valid_after_utc - now > RENEWED_BEFORE


def _vouches(authority: Path, server: Path) -> bool:
    known = _certificate(authority).extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    told = _certificate(server).extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return told.key_identifier == known.digest


def _certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("Tabling on this machine")
    return (
        _begun(name, key, name, now, AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # no addresses: gRPC knows no such constraint, and then trusts nothing at all
        .add_extension(x509.NameConstraints([NAME], excluded_subtrees=None), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )


def _server(
    key: ec.EllipticCurvePrivateKey, authority: x509.Certificate, signing: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    return (
        _begun(_name("localhost"), key, authority.subject, now, LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([NAME, *ADDRESSES]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .sign(signing, SHA256())
    )


def _begun(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
