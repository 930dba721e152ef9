"""Errors on the wire: canonical code and google.rpc details, made in one place."""

import math
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from services.chassis.kernel import DomainError, InvalidField, Kind, uuid7
from services.chassis.logs import get_logger, told
from services.chassis.metrics import Metrics

log = get_logger(__name__)

CODES: Mapping[Kind, grpc.StatusCode] = {kind: getattr(grpc.StatusCode, kind.value) for kind in Kind}

DETAILS_KEY = "grpc-status-details-bin"


class Refusal(Exception):
    """An error that is ready for the wire."""

    def __init__(self, code: grpc.StatusCode, message: str, details: list[Message]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status_pb2.Status(code=code.value[0], message=message)
        for detail in details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            self.status.details.append(packed)

    @property
    def metadata(self) -> tuple[tuple[str, bytes], ...]:
        """The trailing metadata of a call that is refused so."""
        return ((DETAILS_KEY, self.status.SerializeToString()),)


class Refusals:
    """Says, counts and logs how a service refuses: `domain` is the ErrorInfo's."""

    def __init__(self, domain: str, metrics: Metrics) -> None:
        self.domain = domain
        self._metrics = metrics

    def of(self, method: str, error: BaseException, **fields: Any) -> Refusal:
        """The wire form of whatever was raised. What is no broken rule is our mistake, and logged in full.

        `fields` are further ones of the line that is logged.
        """
        if isinstance(error, Refusal):
            self._metrics.refusals.add(error.code.name)
            log.info("refused", method=method, code=error.code.name, **fields)
            return error
        if isinstance(error, DomainError):
            self._metrics.refusals.add(error.reason)
            log.info("refused", method=method, code=error.kind.value, reason=error.reason, **fields)
            return refusal(error, self.domain)
        self._metrics.refusals.add("INTERNAL")
        correlation_id = told("correlation_id") or uuid7()
        log.error("request failed", method=method, correlation_id=correlation_id, exc_info=error, **fields)
        return internal(self.domain, correlation_id)


def refusal(error: DomainError, domain: str) -> Refusal:
    """The wire form of a broken rule: ErrorInfo, both languages, and what else fits (AIP-193)."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=domain, metadata=error.metadata),
        error_details_pb2.LocalizedMessage(locale="ko", message=error.korean),
        error_details_pb2.LocalizedMessage(locale="en", message=error.english),
    ]
    if isinstance(error, InvalidField):
        violations = [
            error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
            for v in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        # not a moment too early
        delay.FromMilliseconds(math.ceil(error.retry_after_seconds * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return Refusal(CODES[error.kind], str(error), details)


def undecodable(domain: str) -> Refusal:
    """For bytes that are no message of the method's request type."""
    info = error_details_pb2.ErrorInfo(reason="UNDECODABLE_REQUEST", domain=domain)
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, "the request cannot be decoded", [info])


def internal(domain: str, correlation_id: str) -> Refusal:
    """For our own mistakes: tells where to look in the log, and nothing else."""
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=domain, metadata={"correlation_id": correlation_id})
    return Refusal(grpc.StatusCode.INTERNAL, "internal error", [info])
