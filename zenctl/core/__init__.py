"""Pure words that everything shares: instants, durations, objects, Observations, findings, reports. No I/O, clock, environment or randomness."""
