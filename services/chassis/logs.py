"""Logs: events, not prose; key=value on a terminal, JSON elsewhere."""

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO

import structlog


def get_logger(name: str) -> Any:
    """A logger bound to a module's name; cheap below the level in force."""
    return structlog.get_logger(module=name)


def configure(level: str = "INFO", *, json: bool | None = None) -> None:
    """Set up logging to standard error for the whole process."""
    as_json = not sys.stderr.isatty() if json is None else json
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        # the renderer's own tracebacks show local variables: phone numbers among them
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=_Unfailing(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


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
