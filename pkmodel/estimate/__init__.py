"""Estimators and the uncertainty of their estimates, one concept a file."""
