"""Sizes and tokens of pages."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.chassis.paging import page_token
from tests.e2e.bad_inputs.row import INVALID, LINE, Row, call, row
from tests.e2e.ways import message_of

LISTS: Mapping[str, Mapping[str, Any]] = {
    "ListReceptions": {"parent": LINE},
    "ListOrders": {"parent": LINE},
    "ListTables": {"parent": LINE},
    "ListStores": {},
    "SearchStores": {},
    "ListNotices": {},
}


def page_sizes() -> Iterator[Row]:
    for method, request in LISTS.items():
        for size in (-1, -(2**31)):
            yield row(f"{method} by {size}", call(method, **request, pageSize=size), INVALID, names="page_size")
        for size in (0, 10**6, 2**31 - 1):
            yield row(f"{method} by {size}", call(method, **request, pageSize=size), "OK")


def page_tokens() -> Iterator[Row]:
    for method, request in LISTS.items():
        listing = call(method, **request, pageSize=1, pageToken=f"${method}_token")
        yield row(f"{method} with its own token", listing, "OK")
        foreign = "$ListTables_token" if method != "ListTables" else "$ListOrders_token"
        for what, token in {"a forged": "AAAA", "a foreign": foreign, "no": "!", "a Korean": "토큰"}.items():
            listing = call(method, **request, pageToken=token)
            yield row(f"{method} with {what} token", listing, INVALID, names="page_token")
    others: Mapping[str, Mapping[str, Any]] = {
        "ListReceptions": {"states": ["WAITING"]},
        "ListOrders": {"states": ["ACCEPTED"]},
        "ListTables": {"parent": "stores/elsewhere"},
        "SearchStores": {"text": "store"},
        "ListNotices": {"states": ["DELIVERED"]},
    }
    for method, other in others.items():
        listing = call(method, **{**LISTS[method], **other}, pageToken=f"${method}_token")
        yield row(f"{method} with the token of another question", listing, INVALID, names="page_token")


def sealed_tokens() -> Iterator[Row]:
    """Tokens of somebody who knows how they are made."""
    places: Mapping[str, list[Any]] = {
        "nowhere": [],
        "a lone surrogate": ["\ud800", "\ud800"],
        "objects": [{}, {}],
        "no text": [None],
        "a number too large": [10**30, "x"],
        "the last of all days": ["9999-12-31T23:59:59-23:59", "x"],
        "too many things": ["2026-01-01T00:00:00+00:00", "x", "y"],
    }
    for method, request in LISTS.items():
        message = message_of(method, request)
        for what, place in places.items():
            # in a search these could be the name and the id of a store
            if (method, what) == ("SearchStores", "the last of all days"):
                continue
            listing = call(method, **request, pageToken=page_token(message, place))
            yield row(f"{method} with a token of {what}", listing, INVALID, names="page_token")
