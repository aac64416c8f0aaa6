"""Exposure of each subject: what it was given, and the concentrations that this led to."""
