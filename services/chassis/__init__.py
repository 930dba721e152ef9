"""The frame under every service; knows no rule of a restaurant."""
