"""Use cases of notices, and the ports they and the sender need."""
