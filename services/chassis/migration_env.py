"""What every service's `migrations/env.py` does."""

from alembic import context
from sqlalchemy import MetaData


def run(metadata: MetaData) -> None:
    """Run the migrations on the connection handed over in the configuration's attributes."""
    connection = context.config.attributes["connection"]
    # SQLite can, though Alembic does not count on it; None leaves it to what Alembic knows
    transactional = True if connection.dialect.name == "sqlite" else None
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=transactional
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
