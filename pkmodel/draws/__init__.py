"""Draws of population parameters and random effects, and what follows from each draw."""
