"""A PostgreSQL cluster of our own."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from services.full.servers import away
from services.full.servers.binaries import NotInstalled, Product
from services.full.servers.server import Server, ServerFailed, password
from services.full.servers.user import stand_in_for_root

USER = "tabling"

POSTGRESQL = Product(
    name="PostgreSQL",
    apt="postgresql",
    dnf="postgresql-server",
    brew="postgresql@17",
    programs=("postgres", "initdb", "psql"),
    folders=(
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
    ),
    urls=tuple(f"TABLING_{service}_DATABASE" for service in ("RECEPTION", "SEAT", "DASHBOARD", "NOTIFICATION")),
)

NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""A commit survives a crash of the server, but not one of the machine."""


class Postgres(Server):
    """PostgreSQL; UTF-8, compared bytewise. Where we are root it runs as the system's user `postgres`."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # "fast": does not wait for clients to go

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(folder, port)
        self._durable = durable

    def database(self, name: str) -> str:
        """The address of the database, which is made if it is missing. Raises `ServerFailed`."""
        if self._ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}'").strip() != "1":  # noqa: S608 - our own name
            self._ask(f'CREATE DATABASE "{name}"')
        return self.address(name)

    def address(self, name: str) -> str:
        """The address that a database of this name has, or will have."""
        return f"postgresql://{USER}:{password(self.folder)}@127.0.0.1:{self.port}/{name}"

    def erase(self) -> None:
        """Delete its folder, and its data elsewhere. It must not run."""
        away.erase(self.folder)
        super().erase()

    def _launch(self) -> None:
        postgres = POSTGRESQL.program("postgres")
        self._user = stand_in_for_root("postgres")
        if self._user is None and os.geteuid() == 0:
            raise NotInstalled(
                "PostgreSQL does not run as root, and there is no user postgres: type useradd -r postgres"
            )
        self._data = self._place()
        if not (self._data / "PG_VERSION").exists():
            self._make()
        (self._data / "postmaster.pid").unlink(missing_ok=True)  # the guard's lock says that nobody runs here
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "64MB",
            "jit": "off",
            "timezone": "UTC",
            "log_error_verbosity": "terse",  # no row, hence no phone number, in the log
        } | ({} if self._durable else NOT_DURABLE)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._run([str(postgres), "-D", str(self._data), *options], _environment(), self._user)

    def _answers(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _place(self) -> Path:
        """The folder of the cluster: in ours, or, when the server's user cannot get there, in its home."""
        data = self.folder / "data"
        if self._user is None:
            return data
        if not self._user.reaches(self.folder):
            data = away.place(self.folder, self._user)
        data.mkdir(mode=0o700, exist_ok=True)
        self._user.own(data)
        return data

    def _make(self) -> None:
        secret = self._data.with_name(f"{self._data.name}.password")
        secret.touch(mode=0o600)
        try:
            secret.write_text(password(self.folder))
            if self._user:
                self._user.own(secret)
            command = [str(POSTGRESQL.program("initdb")), "-D", str(self._data), "-U", USER, f"--pwfile={secret}"]
            command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
            command += [] if self._durable else ["--no-sync"]
            done = subprocess.run(
                command,
                env=_environment(),
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **(self._user.arguments if self._user else {}),
            )
        finally:
            secret.unlink()
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise ServerFailed(f"PostgreSQL's data could not be made in {self._data}\n{done.stdout}{done.stderr}")

    def _ask(self, statement: str) -> str:
        command = [str(POSTGRESQL.program("psql")), "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        command += ["-d", "postgres", "-c", statement]
        environment = _environment() | {"PGPASSWORD": password(self.folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"PostgreSQL did not do {statement}: {done.stderr}")
        return done.stdout


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
