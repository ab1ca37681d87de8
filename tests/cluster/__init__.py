"""Tests that need a real API server, and the control plane that they start for themselves."""
