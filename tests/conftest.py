"""What all tests share."""

from services.chassis import logs

logs.configure("CRITICAL", json=True)
