"""Benchmarks: each figure beside its alternative, in one run on one machine. Nothing here is a test."""
