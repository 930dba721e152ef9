"""Rules of tables and of who gets them; pure."""
