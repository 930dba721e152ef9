"""What callers are told when the gateway itself refuses or fails: the same Status, as JSON or as gRPC."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "gateway.tabling"

# To Envoy a transcoded call looks like gRPC, too, but for the path that it came by.
GRPC_CALLER = (
    "(request.headers['content-type'] == 'application/grpc'"
    " || request.headers['content-type'].startsWith('application/grpc+'))"
    " && !('x-envoy-original-path' in request.headers)"
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
    retry_seconds: int | None = None
    """After how long it may be tried again."""


# The first that matches is told; at the top is what a flood meets, for looking costs.
ERRORS = (
    EdgeError(
        "response.code == 429",
        code_pb2.RESOURCE_EXHAUSTED,
        "TOO_MANY_REQUESTS",
        "too many requests from one caller, or for one store; try again in a moment",
        retry_seconds=1,
    ),
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
        # Envoy's own text quotes values: a phone number maybe
        "the JSON or the query does not fit the method: it cannot be read, a field is unknown, or of another type",
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
        "response.code == 503 && (response.code_details == 'overload' || response.code_details.contains('overflow'))",
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
        # The token may be good, and nobody can tell
        "response.code == 401 && response.code_details.contains('Jwks_remote_fetch')",
        code_pb2.UNAVAILABLE,
        "KEYS_UNAVAILABLE",
        "the keys of who issues tokens could not be had; try again in a moment",
        status=503,
        retry_seconds=1,
    ),
    EdgeError(
        # Envoy's word for a token for somebody else is 403
        "response.code in [401, 403] && response.code_details.startsWith('jwt_authn_access_denied')",
        code_pb2.UNAUTHENTICATED,
        "INVALID_TOKEN",
        "the token is expired, or not one for this system",
        status=401,
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
    details: list[Mapping[str, Any]] = [info]
    if error.retry_seconds:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{error.retry_seconds}s"})
    status = {"code": error.code, "message": error.message, "details": details}
    mapper = {"filter": matching(error.when), "body_format_override": {"json_format": status}}
    return mapper | ({"status_code": error.status} if error.status else {})


def told_as_grpc(error: EdgeError) -> dict[str, Any]:
    status = status_pb2.Status(code=error.code, message=error.message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))
    if error.retry_seconds:
        delay = duration_pb2.Duration(seconds=error.retry_seconds)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
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
