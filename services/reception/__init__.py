"""Receptions: joining a line, the place in it, and how every reception's life goes on."""
