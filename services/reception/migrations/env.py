"""Alembic's entry into reception's history."""

from services.chassis.migration_env import run
from services.reception.adapters.tables import metadata

run(metadata)
