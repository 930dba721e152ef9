"""The full mode under load: RabbitMQ, PostgreSQL, MariaDB, a process per service, Envoy."""
