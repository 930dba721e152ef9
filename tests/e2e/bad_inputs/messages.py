"""What is no request of anything, more than a request may be, or to nowhere."""

import gzip
import json
from collections.abc import Iterator, Mapping

from tests.e2e.bad_inputs.row import INVALID, MISSING, Http, Row, Wire, get, of_each, post, row

JOIN = "/v1/stores/line/receptions"
SERVICE = "/tabling.reception.v1.ReceptionService"


def malformed() -> Iterator[Row]:
    bodies: Mapping[str, bytes | str] = {
        "JSON that ends too early": '{"partySize":2',
        "a word that is no JSON": "{bad}",
        "garbage behind JSON": '{"partySize":2}x',
        "two JSON objects": '{"partySize":2}{}',
        "XML": "<partySize>2</partySize>",
        "a form": "partySize=2",
        "NaN for an int32": '{"partySize":NaN}',
        "1e400 for an int32": '{"partySize":1e400}',
        "a word for an int32": '{"partySize":"two"}',
        "1.5 for an int32": '{"partySize":1.5}',
        "a bool for an int32": '{"partySize":true}',
        "an object for an int32": '{"partySize":{}}',
        "more than an int32": '{"partySize":2147483648}',
        "an unknown enum name": '{"partySize":2,"state":"NOPE"}',
        "a word for a timestamp": '{"partySize":2,"createTime":"yesterday"}',
        "the year 10000": '{"partySize":2,"createTime":"10000-01-01T00:00:00Z"}',
        "a lone surrogate": '{"partySize":2,"section":"\\ud800"}',
        "a body with bytes that are no UTF-8": b'{"partySize":2,"section":"\xff"}',
        "a body with overlong UTF-8": b'{"partySize":2,"section":"\xc0\xaf"}',
        "a byte order mark": b'\xef\xbb\xbf{"partySize":2}',
        "nesting 2,000 deep": '{"section":' * 2000 + "{}" + "}" * 2000,
        "a compressed body": gzip.compress(b'{"partySize":2}'),
        "a bomb as a body": gzip.compress(bytes(10_000_000)),
    }
    yield from of_each(bodies, lambda body: post(JOIN, body), INVALID)
    roots = {f"the body {root}": root for root in ("null", "[]", '"x"', "7", "true")}
    yield from of_each(roots, lambda root: post("/v1/stores/closed:open", root), INVALID)
    resources = {f"the resource {root}": root for root in ("null", "[]", '"x"', "7", "true")}
    yield from of_each(resources, lambda root: post(JOIN, root), INVALID)
    payloads = {
        "JSON as a message": b'{"name":"stores/line"}',
        "garbage as a message": b"\xff\xff\xff",
        "a message cut short": b"\x0a\x20stores",
        "a text that is no UTF-8": b"\x0a\x02\xff\xfe",
        "a length beyond everything": b"\x0a\xff\xff\xff\xff\x7f",
        "groups that do not end": b"\x13" * 5000,
    }
    yield from of_each(payloads, lambda payload: Wire("CancelReception", payload), INVALID, "UNDECODABLE_REQUEST")
    yield row("garbage in a stream", Wire("CreateReceptions", b"\xff\xff\xff"), INVALID, "UNDECODABLE_REQUEST")
    body = b'{"partySize":2}'
    yield row("JSON sent as application/grpc", Wire(JOIN, body, framed=False), "UNIMPLEMENTED")
    yield row("JSON sent as application/grpc to a method", Wire("CreateReception", body, framed=False), INVALID)


def too_large() -> Iterator[Row]:
    yield row("a body over 64 KiB", post(JOIN, json.dumps({"section": "x" * 70_000})), INVALID, status=413)
    yield row("a message of 70 KB", Wire("CreateStore", _store_named("x" * 70_000)), INVALID, names="display_name")
    huge = Wire("CreateStore", _store_named("x" * 300_000))
    yield row("a message over 256 KiB", huge, INVALID, "BODY_TOO_LARGE")
    bomb = Wire("CreateStore", bytes(10_000_000), compressed=True)
    yield row("a message that is a bomb", bomb, "RESOURCE_EXHAUSTED", bare=True)
    yield row("a URL of 20 KB", get(f"{JOIN}/{'a' * 20_000}"), INVALID, status=431)
    yield row("a header of 70 KB", Http("GET", JOIN, headers={"x-large": "a" * 70_000}), INVALID, status=431)
    many = {f"x-{number}": "a" for number in range(150)}
    yield row("150 headers", Http("GET", JOIN, headers=many), INVALID, status=431)


def nowhere() -> Iterator[Row]:
    bad = ("%ff", "%zz", "%", "%C0%AF", "%ED%A0%80", "a%00b", "a%2Fb", "a%5Cb")
    yield from of_each(
        {f"{text} in the path": text for text in bad}, lambda text: get(f"{JOIN}/{text}"), INVALID, "MALFORMED_PATH"
    )
    yield row("an underscore in a header's name", Http("GET", JOIN, headers={"a_b": "1"}), INVALID, "MALFORMED_HEADER")
    paths = {
        ".. in the path": f"{JOIN}/../../../etc/passwd",
        "an escaped .. in the path": "/v1/stores/%2e%2e/%2e%2e/etc/passwd",
        "an unknown path": "/v1/nothing",
        "an unknown custom verb with GET": "/v1/$waiting:nope",
    }
    yield from of_each(paths, get, MISSING, "UNKNOWN_PATH")
    operator = {"authorization": "Bearer $operator_token"}
    yield row("an empty id in the path", Http("GET", "/v1/stores//receptions", headers=operator), MISSING)
    yield row("an unknown custom verb with POST", post("/v1/$waiting:nope", "{}"), MISSING, "UNKNOWN_PATH")
    for verb in ("PUT", "PATCH", "DELETE"):
        yield row(f"{verb} on a known path", Http(verb, "/v1/$waiting", b"{}"), MISSING, "UNKNOWN_PATH")
    # its answer has no body, and so no code
    yield Row(what="HEAD on a known path", sent=Http("HEAD", "/v1/$waiting"), code="OK", status=404, bare=True)
    for query in ("nope=1", "pageSize=x", "pageSize=1.5", "pageSize=99999999999", "states=NOPE", "states=99"):
        yield row(f"the query {query}", get(f"{JOIN}?{query}"), INVALID, "MALFORMED_REQUEST")
    methods = {
        "an unknown method": f"{SERVICE}/Nope",
        "a method that is not public": "/tabling.reception.v1.ContactService/BatchGetContacts",
        "a stream that is not public": "/tabling.messaging.v1.EventFeedService/ReadSnapshots",
        "an unknown service": "/no.such.Service/Method",
    }
    yield from of_each(methods, lambda method: Wire(method, b""), "UNIMPLEMENTED", "UNKNOWN_METHOD")


def _store_named(name: str) -> bytes:
    """A CreateStoreRequest, whether or not anybody takes it."""
    return _field(1, _field(2, name.encode()))


def _field(number: int, data: bytes) -> bytes:
    length, prefix = len(data), bytearray((number << 3 | 2,))
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes((*prefix, length)) + data
