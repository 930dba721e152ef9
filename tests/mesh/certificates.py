"""Certificates as Istio's agent brings them to proxies: short-lived, with the name of a service account."""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

LIFETIME = timedelta(hours=1)


class Authority:
    """Who signs them. `root` is its own certificate, as PEM."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")])
        can_sign = x509.BasicConstraints(ca=True, path_length=0)
        self.root = _pem(
            self._of(self._key, self._name).add_extension(can_sign, critical=True).sign(self._key, hashes.SHA256())
        )

    def issue(self, principal: str, host: str = "pod") -> tuple[bytes, bytes]:
        """A key and its certificate, as PEM, for `cluster.local/ns/…/sa/…`, which is also found under a host's name."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.UniformResourceIdentifier(f"spiffe://{principal}"), x509.DNSName(host)]
        made = self._of(key, x509.Name([])).add_extension(x509.SubjectAlternativeName(names), critical=True)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return secret, _pem(made.sign(self._key, hashes.SHA256()))

    def _of(self, key: ec.EllipticCurvePrivateKey, subject: x509.Name) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(issuer_name=self._name, subject_name=subject, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - LIFETIME)
            .not_valid_after(now + LIFETIME)
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
