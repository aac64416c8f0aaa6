"""Fits of different models or methods to the same data, compared on one likelihood."""

from pkmodel.model_comparison.comparing import compare
from pkmodel.model_comparison.record import ModelComparison

__all__ = ["ModelComparison", "compare"]
