"""Rules: what is told when, and when it has become untrue."""
