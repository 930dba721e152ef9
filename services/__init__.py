"""Our code: the chassis and the services on it."""
