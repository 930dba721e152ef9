"""The frame under every service; knows no restaurant word."""
