"""Some subjects of a data set, as a data set."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.record import Dataset

_BY_SUBJECT = {"ids", "subject"}


def select_subjects(dataset: Dataset, kept: NDArray[np.bool_]) -> Dataset:
    """Return the records of some subjects.

    Parameters
    ----------
    dataset : Dataset
    kept : array (n_subjects,) of bool

    Returns
    -------
    Dataset
        With the subjects numbered anew, in the same order; `dataset` itself where all are kept.
        The checksum stays that of the whole table.
    """
    if np.all(kept):
        return dataset
    rows = kept[dataset.subject]
    arrays = {
        item.name: getattr(dataset, item.name)[rows]
        for item in fields(dataset)
        if item.name not in _BY_SUBJECT and isinstance(getattr(dataset, item.name), np.ndarray)
    }
    return replace(
        dataset,
        **arrays,
        ids=dataset.ids[kept],
        subject=(np.cumsum(kept) - 1)[dataset.subject[rows]],
        covariates={name: values[rows] for name, values in dataset.covariates.items()},
    )
