"""The use cases: each loads, asks and saves."""
