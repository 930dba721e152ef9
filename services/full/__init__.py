"""All of Tabling on one machine as it runs for real: a process for each service, RabbitMQ, PostgreSQL and MariaDB."""
