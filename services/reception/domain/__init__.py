"""Receptions, lines and customers: what may happen to them. Standard library and the kernel only."""
