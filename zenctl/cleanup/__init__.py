"""Cleaning up by real dates: judging every Observation, then deleting the proved ones."""
