"""Logs: events, not prose; key=value on a terminal, JSON elsewhere.

Every line says which `service` speaks and, where it is about one reception or store, the id of that as
`correlation_id`, which is the same in all services.
"""

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TextIO

import structlog

CALLER_GONE = "ExecuteBatchError"
"""What gRPC raises, and logs with a traceback, where nobody is there any more to take an answer."""

LEVELS = logging.getLevelNamesMapping()

PHONE_NUMBER = re.compile(r"[+0](?<!(?<!\\)[\w+.:-].)\d(?:[- ]?\d){7,13}(?![\w-])")
"""As people write them, in Korea or internationally, also behind an escaped line's end; no part of an id or a time."""


def get_logger(name: str) -> Any:
    """A logger bound to a module's name; cheap below the level in force."""
    return structlog.get_logger(module=name)


# structlog's own context variables take ten times as long to set, and that is paid by every call
_told: ContextVar[Mapping[str, str]] = ContextVar("told", default=MappingProxyType({}))


def tell(**fields: str) -> None:
    """Have these fields on every line from here on, in this task and in those that it starts."""
    _told.set({**_told.get(), **fields})


@contextmanager
def telling(**fields: str) -> Iterator[None]:
    """Have these fields on every line within a block."""
    token = _told.set({**_told.get(), **fields})
    try:
        yield
    finally:
        _told.reset(token)


def told(field: str) -> str | None:
    """A field that is on every line now."""
    return _told.get().get(field)


def configure(level: str = "INFO", *, json: bool | None = None) -> None:
    """Set up logging to standard error for the whole process, its libraries included."""
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        # the renderer's own tracebacks show local variables: phone numbers among them
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            _with_what_is_told,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
            _without_phone_numbers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=_Unfailing(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Libraries()], level=max(logging.WARNING, LEVELS[level]), force=True)


class _Libraries(logging.Handler):
    """What libraries have to complain of, as lines like ours."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("grpc.") and record.exc_info and type(record.exc_info[1]).__name__ == CALLER_GONE:
            return
        structlog.get_logger(module=record.name).log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def _with_what_is_told(_: Any, __: str, event: Any) -> Any:
    return {**_told.get(), **event}


def _without_phone_numbers(_: Any, __: str, line: Any) -> Any:
    """No code of ours logs one; the text of a library's error might."""
    return PHONE_NUMBER.sub("(phone number)", line)


class _Unfailing:
    """A stream whose troubles stay its own: a full disk must not end the service that would log it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
