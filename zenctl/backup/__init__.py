"""Backing up: what to read, and in which order; listing, showing and verifying what was written."""
