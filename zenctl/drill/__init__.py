"""The restore drill: an archive restored into an embedded cluster, and everything in it compared with the archive."""
