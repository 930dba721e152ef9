"""Benchmarks: a load generator, the empty method to compare with, and what is measured by them."""
