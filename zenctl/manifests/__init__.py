"""Manifests that zenctl ships as package data."""
