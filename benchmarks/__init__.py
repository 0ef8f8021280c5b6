"""Measured ratios: every figure of the docs is printed by `make bench`, or by one of its parts."""
