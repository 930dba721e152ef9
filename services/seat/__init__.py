"""The floor of every store: tables, holds, seatings, and who gets a table that becomes free."""
