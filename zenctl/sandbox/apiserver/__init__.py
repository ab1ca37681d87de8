"""The API server's core: Request in, Response out; no socket, no thread of its own, no clock but the one given."""
