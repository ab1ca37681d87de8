"""The command line: options, session, one thin file per command group."""
