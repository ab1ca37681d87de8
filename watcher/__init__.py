"""The watcher daemon: collects what a cluster's tools find into Observations."""
