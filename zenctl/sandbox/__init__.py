"""The embedded cluster: a Kubernetes API server in one process, for trials, drills and tests that need no other."""
