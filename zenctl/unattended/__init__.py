"""What surrounds a run that nobody watches: a Lease that keeps others out, metrics, and an Event when it failed."""
