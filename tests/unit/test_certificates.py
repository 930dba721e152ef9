"""The certificate of a system on one machine: kept, renewed in time, and good for this machine alone."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from services.chassis.testing import eventually
from services.local import certificates
from services.local.gateway_settings import Certificate
from services.local.keys import KeysUnusable, private

TODAY = datetime(2030, 1, 1, tzinfo=UTC)


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def server(of: Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(of.chain.read_bytes())


def vouched_for(of: Certificate, name: str, moment: datetime) -> bool:
    """Whether somebody who trusts the authority believes that this is the server of that name."""
    trusted = Store([x509.load_pem_x509_certificate(of.authority.read_bytes())])
    verifier = PolicyBuilder().store(trusted).time(moment).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(server(of), [])
    except VerificationError:
        return False
    return True


def test_who_trusts_the_authority_believes_the_server_and_nobody_else(tmp_path: Path) -> None:
    made = certificates.of(tmp_path, at(TODAY))
    assert vouched_for(made, "localhost", TODAY)
    assert not vouched_for(made, "tabling.example", TODAY)
    assert not vouched_for(made, "localhost", TODAY + certificates.LIFETIME + timedelta(days=1))


def test_the_authority_can_vouch_for_no_other_name(tmp_path: Path) -> None:
    made = certificates.of(tmp_path, at(TODAY))
    constraints = x509.load_pem_x509_certificate(made.authority.read_bytes()).extensions.get_extension_for_oid(
        ExtensionOID.NAME_CONSTRAINTS
    )
    assert constraints.critical
    assert constraints.value == x509.NameConstraints([x509.DNSName("localhost")], None)


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (59, False), (61, True), (200, True)])
def test_it_is_kept_until_it_has_not_long_to_go(tmp_path: Path, days: int, renewed: bool) -> None:
    first = server(certificates.of(tmp_path, at(TODAY)))
    later = TODAY + timedelta(days=days)
    again = certificates.of(tmp_path, at(later))
    assert (server(again) != first) is renewed
    assert vouched_for(again, "localhost", later)


async def test_a_system_that_runs_on_renews_it(tmp_path: Path) -> None:
    first = server(certificates.of(tmp_path, lambda: datetime.now(UTC) - timedelta(days=61)))
    keeping = asyncio.create_task(certificates.keep(tmp_path, look_every_seconds=0.01))
    await eventually(lambda: x509.load_pem_x509_certificate((tmp_path / "keys" / "server.pem").read_bytes()) != first)
    keeping.cancel()


async def test_one_that_could_not_be_renewed_is_renewed_as_soon_as_it_can_be(tmp_path: Path) -> None:
    made = certificates.of(tmp_path, lambda: datetime.now(UTC) - timedelta(days=61))
    first = made.chain.read_bytes()
    in_the_way = made.chain.with_suffix(".new")
    in_the_way.mkdir()
    made.authority.unlink()
    keeping = asyncio.create_task(certificates.keep(tmp_path, look_every_seconds=0.01))
    await eventually(made.authority.exists)
    assert made.chain.read_bytes() == first
    in_the_way.rmdir()
    await eventually(lambda: made.chain.read_bytes() != first)
    keeping.cancel()


def test_renewing_it_leaves_alone_who_is_trusted(tmp_path: Path) -> None:
    trusted = certificates.of(tmp_path, at(TODAY)).authority.read_bytes()
    assert certificates.of(tmp_path, at(TODAY + timedelta(days=89))).authority.read_bytes() == trusted


def test_an_authority_that_has_not_long_to_go_is_made_anew_and_the_server_with_it(tmp_path: Path) -> None:
    first = certificates.of(tmp_path, at(TODAY)).authority.read_bytes()
    later = TODAY + certificates.AUTHORITY_LIFETIME - timedelta(days=1)
    again = certificates.of(tmp_path, at(later))
    assert again.authority.read_bytes() != first
    assert vouched_for(again, "localhost", later)


def test_its_keys_are_for_their_owners_eyes_only(tmp_path: Path) -> None:
    certificates.of(tmp_path, at(TODAY))
    files = list((tmp_path / "keys").iterdir())
    assert {file.name for file in files} == {"authority.key", "authority.pem", "server.pem"}
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_one_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    certificates.of(tmp_path, at(TODAY)).authority.write_text("nonsense")
    with pytest.raises(KeysUnusable, match=r"authority\.pem"):
        certificates.of(tmp_path, at(TODAY))


def test_the_key_in_the_file_is_that_of_the_certificate(tmp_path: Path) -> None:
    made = certificates.of(tmp_path, at(TODAY))
    key = private(made.key.read_bytes())
    public = server(made).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert key.public_key() == public
