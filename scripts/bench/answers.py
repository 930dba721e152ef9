"""What a call was answered: its gRPC status, out of headers, trailers and resets."""

from hpack import Decoder

NAMES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
OK, UNKNOWN, INTERNAL = 0, 2, 13
# gRPC's own table for RST_STREAM in "gRPC over HTTP2".
_OF_RESET = {7: 14, 8: 1, 11: 8, 12: 7}
MOST_BLOCKS = 1_024

Heard = tuple[int | None, int | None]  # HTTP status and gRPC status, as far as a header block tells them.


def status_name(status: int) -> str:
    return NAMES[status] if 0 <= status < len(NAMES) else f"STATUS_{status}"


def status_of_reset(error: int) -> int:
    return _OF_RESET.get(error, INTERNAL)


class Call:
    """One call under way: when it started, how much may still be sent, and what came back so far."""

    __slots__ = ("data", "grpc", "http", "started", "window")

    def __init__(self, started: float, window: int) -> None:
        self.started = started
        self.window = window
        self.http: int | None = None
        self.grpc: int | None = None
        self.data = b""

    def hear(self, heard: Heard) -> None:
        http, grpc = heard
        if http is not None:
            self.http = http
        if grpc is not None:
            self.grpc = grpc


class Answers:
    """Reads header blocks of a peer that was told to keep no table, so that a block read once is known for good."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._decoder.max_allowed_table_size = self._decoder.header_table_size = 0
        self._known: dict[bytes, Heard] = {}

    def read(self, block: bytes) -> Heard:
        heard = self._known.get(block)
        if heard is None:
            heard = self._decode(block)
            if len(self._known) >= MOST_BLOCKS:
                self._known.clear()
            self._known[block] = heard
        return heard

    def _decode(self, block: bytes) -> Heard:
        fields = dict(self._decoder.decode(block, raw=True))
        return _number(fields.get(b":status")), _number(fields.get(b"grpc-status"))


def _number(value: bytes | str | None) -> int | None:
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        return UNKNOWN
