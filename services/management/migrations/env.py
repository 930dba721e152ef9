"""Alembic's entry into management's history."""

from services.chassis.migration_env import run
from services.management.adapters.tables import metadata

run(metadata)
