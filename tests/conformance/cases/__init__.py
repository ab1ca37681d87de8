"""The cases, a file per topic. Each is a sentence about what an API server does, and runs on every target."""
