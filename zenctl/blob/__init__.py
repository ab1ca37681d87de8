"""Stores that hold archives as blobs."""
