"""A MariaDB instance of our own."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from services.full.servers.binaries import Product
from services.full.servers.server import Server, ServerFailed, password

USER = "tabling"

MARIADB = Product(
    name="MariaDB",
    apt="mariadb-server-core mariadb-client-core",  # without the service that the other packages start
    dnf="mariadb-server",
    brew="mariadb",
    programs=("mariadbd", "mariadb-install-db", "mariadb"),
    folders=("/usr/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin", "/usr/local/opt/mariadb/bin"),
    urls=("TABLING_MANAGEMENT_DATABASE",),
)

SETTINGS = (
    "--bind-address=127.0.0.1",
    "--socket=mariadb.sock",  # in the data folder: a long path would not fit
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_nopad_bin",  # compares bytewise
    "--transaction-isolation=READ-COMMITTED",
    "--default-time-zone=+00:00",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=64M",
    "--innodb-lock-wait-timeout=5",
    "--max-connections=300",
    "--skip-log-bin",
    "--skip-name-resolve",
    "--performance-schema=OFF",
)


class Maria(Server):
    """MariaDB; utf8mb4, compared bytewise, READ COMMITTED."""

    name = "MariaDB"

    def __init__(self, folder: Path, port: int | None = None, *, durable: bool = True) -> None:
        super().__init__(folder, port)
        self._durable = durable

    def database(self, name: str) -> str:
        """The address of the database, which is made if it is missing. Raises `ServerFailed`."""
        self._ask(f"CREATE DATABASE IF NOT EXISTS `{name}`")
        return self.address(name)

    def address(self, name: str) -> str:
        """The address that a database of this name has, or will have."""
        return f"mariadb://{USER}:{password(self.folder)}@127.0.0.1:{self.port}/{name}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _launch(self) -> None:
        mariadbd = MARIADB.program("mariadbd")
        if not (self._data / "mysql").exists():
            self._make()
        # 2: a commit survives a crash of the server, but not one of the machine.
        flush = "1" if self._durable else "2"
        command = [str(mariadbd), "--no-defaults", f"--datadir={self._data}", f"--port={self.port}", *SETTINGS]
        command += [f"--innodb-flush-log-at-trx-commit={flush}", f"--init-file={self._accounts()}"]
        self._run(command + _user(), _environment())

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return len(connection.recv(1)) == 1  # it greets first
        except OSError:
            return False

    def _make(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # half made: the system's tables come last
        command = [str(MARIADB.program("mariadb-install-db")), "--no-defaults", f"--datadir={self._data}"]
        command += ["--auth-root-authentication-method=socket", "--skip-test-db", "--skip-name-resolve", *_user()]
        done = subprocess.run(command, env=_environment(), cwd="/", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise ServerFailed(f"MariaDB's data could not be made in {self._data}\n{done.stdout}{done.stderr}")

    def _accounts(self) -> Path:
        """What the server runs at each start, before it listens."""
        file = self.folder / "accounts.sql"
        file.touch(mode=0o600)
        file.write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{password(self.folder)}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'127.0.0.1' WITH GRANT OPTION;\n"
        )
        return file

    def _ask(self, statement: str) -> str:
        command = [str(MARIADB.program("mariadb")), "--no-defaults", "-h", "127.0.0.1", "-P", str(self.port)]
        command += ["-u", USER, "--batch", "--skip-column-names", "-e", statement]
        environment = _environment() | {"MYSQL_PWD": password(self.folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServerFailed(f"MariaDB did not do {statement}: {done.stderr}")
        return done.stdout


def _user() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
