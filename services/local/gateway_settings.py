"""What the gateway must be told, and what it lets one request and one caller have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from services.local.gateway_routes import PUBLIC

KEY_VARIABLE = "TABLING_KEY"
ISSUER = "tabling"
"""Who issues tokens on one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may take, and how many there may be.

    `stream_*` and `idle_seconds` are for the Watch methods. A connection without a request is closed after
    `connection_idle_seconds`; on it headers may take `headers_seconds`, and so may the answer to a ping, which is sent
    every `ping_seconds`. `heap_bytes`: what requests and connections may take of memory together, before they are
    refused. `token_seconds`: no token may be good for longer; every `keys_seconds` the issuer is asked for its keys.
    `message_bytes` are those of one gRPC message with the five before it, `body_bytes` those of a JSON body.
    `requests` and `*per_*` are requests a second: in all, from one address before its tokens are looked at, of callers
    without a token from one address, of one token's holder, of one backend, and of JSON callers who want to join the
    line of one store: all of them, and one of them who is no backend. Of so many callers as `callers_known` it is known
    how much they asked for lately. Of IPv6 an address stands for all that begin with the same 64 bits.
    """

    unary_seconds: float = 10
    stream_seconds: float = 4 * 3600
    idle_seconds: float = 60
    connection_idle_seconds: float = 300
    headers_seconds: float = 10
    ping_seconds: float = 30
    body_bytes: int = 64 * 1024
    message_bytes: int = 256 * 1024 + 5
    answer_bytes: int = 16 * 1024 * 1024
    connections: int = 20_000
    heap_bytes: int = 1024 * 1024 * 1024
    requests_per_upstream: int = 10_000
    streams_per_upstream: int = 20_000
    token_seconds: int = 24 * 3600
    keys_seconds: int = 300
    requests: int = 20_000
    looks_per_address: int = 10_000
    per_address: int = 200
    per_principal: int = 50
    per_backend: int = 5_000
    per_store: int = 50
    per_store_and_caller: int = 5
    callers_known: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who issues tokens: `jwks` is the file with its public keys, or the address that tells them."""

    name: str
    jwks: Path | str

    @property
    def host(self) -> str:
        """Whom to ask for the keys; empty for a file."""
        return "" if isinstance(self.jwks, Path) else urlsplit(self.jwks).hostname or ""

    @property
    def port(self) -> int:
        """Where to ask."""
        return urlsplit(str(self.jwks)).port or (443 if self.is_encrypted else 80)

    @property
    def is_encrypted(self) -> bool:
        """Whether the keys come by TLS."""
        return str(self.jwks).startswith("https:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """With what the gateway proves who it is: files with the chain, its private key, and `authority`, who vouches."""

    chain: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What the gateway must be told.

    `key` opens the services' doors, and `issuer` issues the tokens that count.

    `descriptors` are those that scripts/generate made, with the API's description beside them.
    `upstreams` has host:port of every service; of one with replicas all of them, with commas between. Port 0 means
    any free one. `balanced` says that each upstream is one address behind which others balance, and know who is well:
    the gateway then neither asks after anybody nor ejects anybody, and is well while it runs. `reflection_upstream`
    names the service that answers gRPC reflection for all, `web_root` the folder with the web client, `trusted_hops`
    how many proxies in front are believed about where a caller comes from. With a `certificate` it speaks TLS, and
    nothing else. Raises `ValueError`.
    """

    descriptors: Path
    upstreams: Mapping[str, str]
    issuer: Issuer
    key: str = field(repr=False)
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    admin_port: int = 0
    certificate: Certificate | None = None
    balanced: bool = False
    cors_origins: tuple[str, ...] = ()
    access_log: Path | None = None
    concurrency: int = 1
    trusted_hops: int = 0
    reflection_upstream: str | None = None
    web_root: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if missing := PUBLIC.keys() - self.upstreams.keys():
            raise ValueError(f"the gateway has no upstream for {', '.join(sorted(missing))}")
        if self.balanced and any("," in places for places in self.upstreams.values()):
            raise ValueError("a balanced upstream is one address")
        if self.reflection_upstream is not None and self.reflection_upstream not in PUBLIC:
            raise ValueError(f"reflection_upstream must be one of {', '.join(PUBLIC)}")
