"""Who makes the calls of a benchmark: a backend for its customers, and whoever makes it the stores."""

from services.chassis.callers import Identity, as_principal
from services.local.keys import Keys

NAME = "bench"
CUSTOMERS = {"aud": "tabling-backend", "sub": NAME, "customers": f"{NAME}-"}


def backend(keys: Keys) -> Identity:
    """Straight to a service, as the gateway would pass it on."""
    return as_principal(keys.installation, **CUSTOMERS)


def backend_outside(keys: Keys) -> Identity:
    """Through the gateway."""
    return (("authorization", f"Bearer {keys.token(CUSTOMERS['aud'], NAME, customers=CUSTOMERS['customers'])}"),)


def manager(keys: Keys, *store_ids: str) -> Identity:
    """Staff of these stores."""
    return as_principal(keys.installation, aud="tabling-staff", sub=NAME, role="manager", stores=store_ids)


def operator(keys: Keys) -> Identity:
    """Who makes stores."""
    return as_principal(keys.installation, aud="tabling-operator", sub=NAME)
