"""Management: stores, their opening and pausing, and the orders of their lines."""
