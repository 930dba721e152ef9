"""One HTTP/2 connection that carries unary calls, made of bare frames to cost next to nothing."""

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from scripts.bench.answers import Answers, Call, status_of_reset
from scripts.bench.wire import Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME = 1, 2, 3, 4, 5
LARGEST_WINDOW = 2**31 - 1
LAST_STREAM = 2**31 - 1
TOP_UP = 1 << 24  # Bytes received before the connection's window is opened again.
CANCEL = 8
UNAVAILABLE, DEADLINE_EXCEEDED = 14, 4

_frame_head = struct.Struct(">HBBBI")  # Length in 16 + 8 bits, type, flags, stream.
_setting = struct.Struct(">HI")
_uint32 = struct.Struct(">I")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return _frame_head.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


class Connection(asyncio.Protocol):
    """Starts calls as long as `take` gives some and `slots` are free, and hands each answer to `answered`.

    take      the next call's start (seconds, any clock) and body, or None when there is none now
    answered  called once for every call taken: its start, its grpc-status, the answered message
    read      called after each read, with the connection
    """

    def __init__(
        self,
        wire: Wire,
        block: bytes,
        slots: int,
        take: Callable[[], tuple[float, bytes] | None],
        answered: Callable[[float, int, bytes], None],
        read: Callable[["Connection"], None],
    ) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.calls: dict[int, Call] = {}
        self._answers = Answers()
        self._wire = wire
        self._take, self._answered, self._read = take, answered, read
        self._slots, self._peer_slots = slots, LAST_STREAM
        self._head_start = frame(HEADERS, END_HEADERS, 0, block)[:5]
        self._block = block
        self._out: list[bytes] = []
        self._rest = b""
        self._headers_of: tuple[int, bool, bytes] | None = None  # An unfinished header block.
        self._next_stream = 1
        self._draining = False
        self._send_window = self._peer_window = 65_535
        self._peer_frame = 16_384
        self._received = 0
        self._unsent: dict[int, bytes] = {}

    # What the owner calls.

    def fill(self) -> None:
        """Starts what can be started and sends it in one write."""
        self._start_calls()
        self._flush()

    def expire(self, before: float) -> None:
        """Gives up the calls that started before the given time."""
        for stream, call in list(self.calls.items()):
            if call.started >= before:
                break
            self._out.append(frame(RST_STREAM, 0, stream, _uint32.pack(CANCEL)))
            self._finish(stream, DEADLINE_EXCEEDED)
        self.fill()

    def pause(self) -> None:
        """Leaves what arrives to the kernel until `resume`."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        self._transport.close()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)
        # Without a table each answer's headers stand for themselves, so equal bytes mean equal headers.
        wanted = {HEADER_TABLE_SIZE: 0, ENABLE_PUSH: 0, INITIAL_WINDOW: LARGEST_WINDOW}
        settings = b"".join(_setting.pack(*pair) for pair in wanted.items())
        window = _uint32.pack(LARGEST_WINDOW - 65_535)
        transport.write(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, window))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        unpack = _frame_head.unpack_from
        while end - at >= 9:
            high, low, kind, flags, stream = unpack(data, at)
            stop = at + 9 + (high << 8 | low)
            if stop > end:
                break
            self._on_frame(kind, flags, stream & LAST_STREAM, data[at + 9 : stop])
            at = stop
        self._rest = data[at:]
        self._start_calls()
        self._flush()
        self._read(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._draining = True
        for stream in list(self.calls):
            self._finish(stream, UNAVAILABLE)
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionResetError("closed before it spoke HTTP/2"))
        if not self.gone.done():
            self.gone.set_result(None)

    # Frames that come in.

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._on_data(flags, stream, payload)
        elif kind == HEADERS:
            block = _without_padding(flags, payload)
            self._on_block(flags, stream, bool(flags & END_STREAM), block[5 if flags & PRIORITIZED else 0 :])
        elif kind == CONTINUATION and self._headers_of is not None:
            stream, last, block = self._headers_of
            self._on_block(flags, stream, last, block + payload)
        elif kind == WINDOW_UPDATE:
            self._on_window(stream, _uint32.unpack(payload)[0])
        elif kind == RST_STREAM:
            self._finish(stream, status_of_reset(_uint32.unpack(payload)[0]))
        elif kind == SETTINGS and not flags & ACK:
            self._on_settings(payload)
        elif kind == PING and not flags & ACK:
            self._out.append(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self._on_goaway(_uint32.unpack_from(payload)[0] & LAST_STREAM)

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received > TOP_UP:
            self._out.append(frame(WINDOW_UPDATE, 0, 0, _uint32.pack(self._received)))
            self._received = 0
        call = self.calls.get(stream)
        if call is None:
            return
        call.data += _without_padding(flags, payload)
        if flags & END_STREAM:
            self._finish(stream, self._wire.status(call))

    def _on_block(self, flags: int, stream: int, last: bool, block: bytes) -> None:
        if not flags & END_HEADERS:
            self._headers_of = (stream, last, block)
            return
        self._headers_of = None
        heard = self._answers.read(block)
        call = self.calls.get(stream)
        if call is None:
            return
        call.hear(heard)
        if last:
            self._finish(stream, self._wire.status(call))

    def _on_settings(self, payload: bytes) -> None:
        for name, value in _setting.iter_unpack(payload):
            if name == MAX_STREAMS:
                self._peer_slots = value
            elif name == MAX_FRAME:
                self._peer_frame = value
            elif name == INITIAL_WINDOW:
                for call in self.calls.values():
                    call.window += value - self._peer_window
                self._peer_window = value
        self._out.append(frame(SETTINGS, ACK, 0))
        self._pump()
        if not self.ready.done():
            self.ready.set_result(None)

    def _on_window(self, stream: int, more: int) -> None:
        if stream == 0:
            self._send_window += more
        elif stream in self.calls:
            self.calls[stream].window += more
        self._pump()

    def _on_goaway(self, last: int) -> None:
        self._draining = True
        for stream in [stream for stream in self.calls if stream > last]:
            self._finish(stream, UNAVAILABLE)
        if not self.calls:
            self._transport.close()

    # Calls that go out.

    def _start_calls(self) -> None:
        slots = min(self._slots, self._peer_slots)
        while len(self.calls) < slots and not (self._draining or self._unsent):
            taken = self._take()
            if taken is None:
                return
            self._start(*taken)

    def _start(self, started: float, body: bytes) -> None:
        stream, body = self._next_stream, self._wire.framed(body)
        self._next_stream += 2
        self._draining = self._next_stream >= LAST_STREAM
        self.calls[stream] = call = Call(started, self._peer_window)
        self._out.append(self._head_start + _uint32.pack(stream) + self._block)
        size = len(body)
        if size <= self._send_window and size <= call.window and size <= self._peer_frame:
            self._send_window -= size
            call.window -= size
            self._out.append(frame(DATA, END_STREAM, stream, body))
        else:
            self._unsent[stream] = body
            self._pump()

    def _pump(self) -> None:
        """Sends as much of the waiting bodies as the windows allow."""
        for stream, body in list(self._unsent.items()):
            call, at = self.calls[stream], 0
            while at < len(body):
                size = min(self._send_window, call.window, self._peer_frame, len(body) - at)
                if size <= 0:
                    break
                self._send_window -= size
                call.window -= size
                last = at + size == len(body)
                self._out.append(frame(DATA, END_STREAM if last else 0, stream, body[at : at + size]))
                at += size
            if at == len(body):
                del self._unsent[stream]
            else:
                self._unsent[stream] = body[at:]

    def _finish(self, stream: int, status: int) -> None:
        call = self.calls.pop(stream, None)
        if call is None:
            return
        self._unsent.pop(stream, None)
        self._answered(call.started, status, self._wire.message(call.data) if status == 0 else b"")
        if self._draining and not self.calls:
            self._transport.close()

    def _flush(self) -> None:
        if self._out:
            self._transport.write(b"".join(self._out))
            self._out.clear()


def _without_padding(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
