"""The read model's tables, what is read from them, and the feeds it is rebuilt from."""
