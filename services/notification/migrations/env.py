"""Runs notification's migrations."""

from services.chassis.migration_env import run
from services.notification.adapters.tables import metadata

run(metadata)
