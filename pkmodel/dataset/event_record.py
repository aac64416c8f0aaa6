"""The columns that say what happens on a row, defaults filled in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pkmodel.dataset.table import Bools, Floats

Ints = NDArray[np.int64]


@dataclass
class Events:
    """One entry per row; see `pkmodel.dataset.Dataset`."""

    amt: Floats
    rate: Floats
    ii: Floats
    dv: Floats
    limit: Floats
    evid: Ints
    mdv: Ints
    cmt: Ints
    addl: Ints
    ss: Ints
    cens: Ints
    occ: Ints

    @property
    def is_dose(self) -> Bools:
        """Rows that give a dose."""
        return np.isin(self.evid, (1, 4))

    @property
    def is_observation(self) -> Bools:
        """Rows whose DV counts."""
        return np.where(self.mdv == 0, self.evid == 0, False)
