"""A PostgreSQL, a MariaDB and a RabbitMQ of our own: in a folder, on private ports, for as long as we want."""

from services.full.servers.maria import MARIADB, Maria
from services.full.servers.postgres import POSTGRESQL, Postgres
from services.full.servers.rabbit import RABBITMQ, Rabbit
from services.full.servers.server import Server, ServerFailed

PRODUCTS = (POSTGRESQL, MARIADB, RABBITMQ)

__all__ = ["PRODUCTS", "Maria", "Postgres", "Rabbit", "Server", "ServerFailed"]
