"""Adapters to Prometheus and what stands around it."""
