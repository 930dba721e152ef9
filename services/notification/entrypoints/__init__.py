"""Ways in: events, requests of operators, and the sender's own round."""
