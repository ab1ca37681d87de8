"""From events to writes, without I/O or clock: normalise, filter, deduplicate, cap, plan."""
