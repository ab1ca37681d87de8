"""Renderers: one Report in, text out."""
