"""The triage desk: listing, showing and settling Observations."""
