"""Figures, each drawn from a table that comes back with it."""
