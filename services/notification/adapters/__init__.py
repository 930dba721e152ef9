"""The ledger's tables, the templates, and the ways to reception and to the vendor."""
