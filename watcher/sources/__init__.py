"""Pure parsers, one per tool: what the tool wrote in, Observations out."""
