"""The read side: stores to find and follow, boards for staff, figures of a day."""
