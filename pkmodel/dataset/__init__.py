"""A NONMEM-style data table as a checked, immutable `Dataset`."""

from pkmodel.dataset.reading import read_dataset
from pkmodel.dataset.record import Dataset

__all__ = ["Dataset", "read_dataset"]
