"""Where events, requests and the operator come in."""
