"""Restoring archives and kubectl's files: deciding per object, then writing."""
