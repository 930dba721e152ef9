"""What can be reached through the gateway: methods of the public services, files of the web client."""

import hashlib
import mimetypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

PUBLIC = {
    "reception": "tabling.reception.v1.ReceptionService",
    "seat": "tabling.seat.v1.SeatService",
    "management": "tabling.management.v1.ManagementService",
    "dashboard": "tabling.dashboard.v1.DashboardService",
    "notification": "tabling.notification.v1.NotificationService",
}
"""Upstream → the one service of it that the outside may call. What is not named here stays inside."""

READS = ("Get", "List", "Search", "Check")

# Printable ASCII, or whole UTF-8 characters (RFC 3629), and percent signs only where they encode such.
_C = "%[89ABab][0-9A-Fa-f]"
WELL_FORMED_PATH = (
    r"(?:[^\x00-\x20%\x7f]|%0[1-9A-Fa-f]|%[1-7][0-9A-Fa-f]"
    rf"|%(?:[Cc][2-9A-Fa-f]|[Dd][0-9A-Fa-f]){_C}"
    rf"|%[Ee]0%[ABab][0-9A-Fa-f]{_C}"
    rf"|%[Ee][1-9A-CEFa-cef](?:{_C}){{2}}"
    rf"|%[Ee][Dd]%[89][0-9A-Fa-f]{_C}"
    rf"|%[Ff]0%[9ABab][0-9A-Fa-f](?:{_C}){{2}}"
    rf"|%[Ff][1-3](?:{_C}){{3}}"
    rf"|%[Ff]4%8[0-9A-Fa-f](?:{_C}){{2}})*"
)


JOINING_PATH = r"^/v1/stores/([^/?]+)/receptions/?(?:\?.*)?$|.*"
"""Its first group is the store whose line the request is to join."""

PLAIN_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""What every answer but those to gRPC says, unless it says otherwise."""

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a public service."""

    path: str
    upstream: str
    is_read: bool
    is_stream: bool
    is_many: bool
    """Whether its callers send a stream themselves."""


@dataclass(frozen=True, slots=True)
class WebFile:
    """One file of the web client."""

    path: str
    file: str
    headers: Mapping[str, str]


def public_methods(descriptors: Path) -> Iterator[Method]:
    """Every method that callers may use, as the descriptor set has them."""
    upstreams = {service: upstream for upstream, service in PUBLIC.items()}
    for file in FileDescriptorSet.FromString(descriptors.read_bytes()).file:
        for service in file.service:
            name = f"{file.package}.{service.name}"
            for method in service.method if name in upstreams else ():
                yield Method(
                    path=f"/{name}/{method.name}",
                    upstream=upstreams[name],
                    is_read=method.name.startswith(READS),
                    is_stream=method.client_streaming or method.server_streaming,
                    is_many=method.client_streaming,
                )


def web_files(root: Path) -> Iterator[WebFile]:
    """Every file under `root`, hidden ones left out; `index.html` also stands for its folder."""
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        relative = file.relative_to(root)
        if any(part.startswith(".") for part in relative.parts):
            continue
        yield web_file(f"/{relative.as_posix()}", file)
        if file.name == "index.html":
            yield web_file(f"/{relative.as_posix().removesuffix('index.html')}", file)


def web_file(path: str, file: Path) -> WebFile:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    text = kind.startswith("text/") or kind in ("application/javascript", "application/json", "image/svg+xml")
    headers = {
        "content-type": f"{kind}; charset=utf-8" if text else kind,
        "etag": f'"{hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"',
        "cache-control": "no-cache",
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "referrer-policy": "same-origin",
    }
    return WebFile(path=path, file=str(file.resolve()), headers=headers)
