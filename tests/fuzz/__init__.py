"""Fuzzing of everything that reads what strangers send: `python -m tests.fuzz --inputs 1000000`."""
