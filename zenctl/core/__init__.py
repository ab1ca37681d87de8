"""Pure words that everything shares: instants, objects, Observations, reports. No I/O, clock or randomness."""
