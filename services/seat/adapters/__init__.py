"""The service's database and its events."""
