"""The archive format: writing, reading and verifying it over a blob store. Knows nothing of Kubernetes."""
