"""Pure facts of an installation, stated once: its CRD, its sources, its names."""
