"""Types of kernel arguments."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
"""An array of numbers, of any shape."""

Counts = NDArray[np.int64]
Bytes = NDArray[np.int8]
Two = tuple[float, float]
Three = tuple[float, float, float]
Four = tuple[float, float, float, float]
Six = tuple[float, float, float, float, float, float]
Eight = tuple[float, float, float, float, float, float, float, float]

Float1 = Annotated[NDArray[np.float64], np.float64, 1]
"""With its scalar and dimensions, for kernels that are called by their address."""

Float2 = Annotated[NDArray[np.float64], np.float64, 2]
Float3 = Annotated[NDArray[np.float64], np.float64, 3]
Float4 = Annotated[NDArray[np.float64], np.float64, 4]
Long1 = Annotated[NDArray[np.int64], np.int64, 1]
Int1 = Annotated[NDArray[np.int32], np.int32, 1]
Byte1 = Annotated[NDArray[np.int8], np.int8, 1]
Bool1 = Annotated[NDArray[np.bool_], np.bool_, 1]
Long2 = Annotated[NDArray[np.int64], np.int64, 2]
