"""What the Makefile calls: set-up, generation, benchmarks, drills."""
