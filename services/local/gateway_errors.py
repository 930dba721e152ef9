"""What callers are told when the gateway itself refuses or fails: the same Status, as JSON or as gRPC."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "gateway.tabling"
OWN_WORDS = "%LOCAL_REPLY_BODY%"
"""Stands for Envoy's text about this very request."""

# To Envoy a transcoded call looks like gRPC, too, but for the path that it came by.
GRPC_CALLER = (
    "request.headers['content-type'].startsWith('application/grpc') && !('x-envoy-original-path' in request.headers)"
)


@dataclass(frozen=True, slots=True)
class EdgeError:
    """One kind of refusal: `when` is a CEL expression over Envoy's own answer, `code` a google.rpc.Code."""

    when: str
    code: int
    reason: str
    message: str
    status: int | None = None
    """The HTTP status to answer with instead of Envoy's."""


# The first that matches is told.
ERRORS = (
    EdgeError(
        "response.code == 400 && response.code_details.startsWith('path_normalization_failed')",
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_PATH",
        "the path holds an escaped slash, an escaped backslash or a NUL",
    ),
    EdgeError(
        "response.code == 400 && response.code_details == 'direct_response'",
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_PATH",
        "the path or the query is not percent-encoded UTF-8",
    ),
    EdgeError(
        "response.code == 400 && response.code_details.contains('underscore')",
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_HEADER",
        "the name of a header holds an underscore",
    ),
    EdgeError(
        "response.code == 400 && response.code_details.contains('grpc_json_transcode_failure')",
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        OWN_WORDS,
    ),
    EdgeError(
        "response.code == 404 && " + GRPC_CALLER,
        code_pb2.UNIMPLEMENTED,
        "UNKNOWN_METHOD",
        "the gateway has no such method",
    ),
    EdgeError(
        "response.code == 404",
        code_pb2.NOT_FOUND,
        "UNKNOWN_PATH",
        "nothing is at this path, or not for this HTTP method",
    ),
    EdgeError(
        "response.code == 408",
        code_pb2.DEADLINE_EXCEEDED,
        "REQUEST_TOO_SLOW",
        "the request did not arrive whole in time",
    ),
    EdgeError(
        "response.code == 504",
        code_pb2.DEADLINE_EXCEEDED,
        "TIMEOUT",
        "the answer did not come in time; whether the request took effect is not known",
    ),
    EdgeError(
        "response.code == 413",
        code_pb2.INVALID_ARGUMENT,
        "BODY_TOO_LARGE",
        "the body of the request is too large",
    ),
    EdgeError(
        "response.code == 431",
        code_pb2.INVALID_ARGUMENT,
        "HEADERS_TOO_LARGE",
        "the path and headers of the request are too large, or the headers too many",
    ),
    EdgeError(
        "response.code == 503 && response.code_details.contains('overflow')",
        code_pb2.UNAVAILABLE,
        "OVERLOADED",
        "too many requests are under way; try again in a moment",
    ),
    EdgeError(
        "response.code in [502, 503]",
        code_pb2.UNAVAILABLE,
        "SERVICE_UNAVAILABLE",
        "the service does not answer at present; try again in a moment",
    ),
    EdgeError(
        "response.code in [403, 501]",
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        "the gateway has no such upgrade or transfer coding",
        status=400,
    ),
    EdgeError(
        "response.code >= 500",
        code_pb2.INTERNAL,
        "GATEWAY_FAILED",
        "the gateway failed",
    ),
    EdgeError(
        "response.code >= 400",
        code_pb2.INVALID_ARGUMENT,
        "MALFORMED_REQUEST",
        "the request is not HTTP as this gateway speaks it",
    ),
)


def reply_mappers() -> Iterator[dict[str, Any]]:
    """Envoy's `local_reply_config.mappers`."""
    for error in ERRORS:
        if error.message != OWN_WORDS:
            yield told_as_grpc(error)
        yield told_as_json(error)
    yield {
        "filter": matching("response.code == 200 && response.code_details.startsWith('health_check_ok')"),
        "body_format_override": {"json_format": {"status": "SERVING"}},
    }


def told_as_json(error: EdgeError) -> dict[str, Any]:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.reason,
        "domain": DOMAIN,
        "metadata": {},
    }
    status = {"code": error.code, "message": error.message, "details": [info]}
    mapper = {"filter": matching(error.when), "body_format_override": {"json_format": status}}
    return mapper | ({"status_code": error.status} if error.status else {})


def told_as_grpc(error: EdgeError) -> dict[str, Any]:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))
    status = status_pb2.Status(code=error.code, message=error.message, details=[info])
    return {
        "filter": matching(f"{error.when} && {GRPC_CALLER}"),
        "body_format_override": {"text_format_source": {"inline_string": error.message}},
        "headers_to_add": [
            header("grpc-status", str(error.code)),
            header("grpc-status-details-bin", base64.b64encode(status.SerializeToString()).decode()),
        ],
    }


def matching(expression: str) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    return {"extension_filter": {"name": "cel", "typed_config": {"@type": kind, "expression": expression}}}


def header(key: str, value: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
