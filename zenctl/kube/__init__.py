"""The gateway to a Kubernetes API server, and the only importer of its client libraries."""
