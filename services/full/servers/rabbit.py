"""A RabbitMQ node of our own, with a port mapper of its own."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from services.chassis.addresses import free_port
from services.full.servers.binaries import Product
from services.full.servers.lean import lean
from services.full.servers.server import Server, ServerFailed, password

USER = "tabling"
NODE = "tabling@localhost"

# Debian's commands on the PATH insist on their own user; those of the release itself do not.
RABBITMQ = Product(
    name="RabbitMQ",
    apt="rabbitmq-server",
    dnf="rabbitmq-server",
    brew="rabbitmq",
    programs=("rabbitmq-server", "rabbitmqctl", "epmd"),
    folders=(
        "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
        "/opt/homebrew/opt/rabbitmq/sbin",
        "/usr/local/opt/rabbitmq/sbin",
        "/usr/lib/erlang/bin",
        "/usr/lib64/erlang/bin",
        "/opt/homebrew/opt/erlang/lib/erlang/bin",
        "/usr/local/opt/erlang/lib/erlang/bin",
    ),
    urls=("TABLING_BUS",),
)

MAPPER_SECONDS = 10.0
PROTOCOL = b"AMQP\0\0\x09\x01"
NAMES = b"\0\x01n"
"""Asks Erlang's port mapper for the names that it knows."""

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
heartbeat = 10
log.file = false
log.console = true
log.console.level = warning
"""

ADD_VHOST = """\
V = <<"{vhost}">>, U = <<"{user}">>, ok = rabbit_vhost:add(V, U), \
rabbit_auth_backend_internal:set_permissions(U, V, <<".*">>, <<".*">>, <<".*">>, U).
"""


class Rabbit(Server):
    """RabbitMQ with one user and no plugins."""

    name = "RabbitMQ"

    def __init__(self, folder: Path, port: int | None = None) -> None:
        super().__init__(folder, port)
        self._mapper_port = free_port()
        self._node_port = free_port()
        self._programs = Path()

    def vhost(self, name: str) -> str:
        """The address of the virtual host, which is made if it is missing. Raises `ServerFailed`."""
        answer = self._evaluate(ADD_VHOST.format(vhost=name, user=USER))
        if "ok" not in answer or "error" in answer:
            raise ServerFailed(f"RabbitMQ did not make the virtual host {name}: {answer}")
        return self.address(name)

    def address(self, name: str) -> str:
        """The address that a virtual host of this name has, or will have."""
        return f"amqp://{USER}:{password(self.folder)}@127.0.0.1:{self.port}/{name}"

    def sync(self) -> None:
        """Bring to disk what the node keeps in memory for some seconds: which quorum queues it has.

        Without, one that is killed right after it declared such a queue comes back with a queue that is empty for
        ever: RabbitMQ 3.10 confirms messages to it before it has made sure that it will know it.
        """
        self._evaluate("[dets:sync(Table) || Table <- dets:all()].")

    def rabbitmqctl(self, *arguments: str) -> str:
        """What RabbitMQ's own tool prints, while it runs; takes a second or two. Raises `ServerFailed`."""
        return self._tool([str(self._programs / "rabbitmqctl"), "--quiet", *arguments])

    def _launch(self) -> None:
        configuration = self.folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(CONFIGURATION.format(port=self.port, user=USER, password=password(self.folder)))
        (self.folder / "plugins").write_text("[].\n")
        mapper = [str(RABBITMQ.program("epmd")), "-port", str(self._mapper_port), "-address", "127.0.0.1"]
        self._help(mapper, self._environment())
        self._await_mapper()  # else the node would start one that nobody ends
        server = lean(RABBITMQ.program("rabbitmq-server"), self.folder / "release")
        self._programs = server.parent
        self._run([str(server)], self._environment())

    def _answers(self) -> bool:
        return _answers(self.port, PROTOCOL)

    def _await_mapper(self) -> None:
        limit = time.monotonic() + MAPPER_SECONDS
        while not _answers(self._mapper_port, NAMES):
            if time.monotonic() > limit:
                raise ServerFailed(f"Erlang's port mapper did not answer in {MAPPER_SECONDS:g} s")
            time.sleep(0.005)

    def _evaluate(self, expression: str) -> str:
        """The value of an Erlang expression in the node: by C program in milliseconds, else by script in seconds."""
        caller = shutil.which("erl_call", path=str(RABBITMQ.program("epmd").parent))
        if caller is None:
            return self.rabbitmqctl("eval", expression)
        cookie = (self.folder / ".erlang.cookie").read_text()
        return self._tool([caller, "-sname", NODE, "-c", cookie, "-e"], f"{expression}\n")

    def _tool(self, command: list[str], given: str = "") -> str:
        done = subprocess.run(
            command, env=self._environment(), cwd="/", input=given, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ServerFailed(f"RabbitMQ did not do {command[1:]}: {done.stdout}{done.stderr}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            # Loading code is thousands of hand-overs between threads: with no spinning at all it takes far longer.
            "RABBITMQ_SCHEDULER_BUSY_WAIT_THRESHOLD": "very_short",
            # One process instead of a shell around it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def _answers(port: int, question: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(question)
            return len(connection.recv(1)) == 1
    except OSError:
        return False
