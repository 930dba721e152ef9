"""What every service's `migrations/env.py` does."""

from alembic import context
from sqlalchemy import MetaData, text

LOCKED_SECONDS = 5
IMPATIENT = {
    "postgresql": f"SET lock_timeout = '{LOCKED_SECONDS}s'",
    "mariadb": f"SET lock_wait_timeout = {LOCKED_SECONDS}",
}
"""Who waits for a table to change it keeps all waiting that come later: better to give up, and try again."""


def run(metadata: MetaData) -> None:
    """Run the migrations on the connection handed over in the configuration's attributes, each by itself."""
    connection = context.config.attributes["connection"]
    if impatient := IMPATIENT.get(connection.dialect.name):
        connection.execute(text(impatient))
        connection.commit()
    # SQLite can, though Alembic does not count on it; None leaves it to what Alembic knows
    transactional = True if connection.dialect.name == "sqlite" else None
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        transactional_ddl=transactional,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
