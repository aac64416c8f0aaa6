"""Body surface area from weight and height, by five published formulas.

At infant size the formulas differ by some 10 percent, as much as a margin of equivalence allows:
every result names the one used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pkmodel.errors import ModelError
from pkmodel.suggestion import quoted, suggest

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class BodySurfaceFormula:
    """A formula of body surface area.

    Attributes
    ----------
    title : str
        As papers name it.
    text : str
        The formula, W in kg, H in cm, m2 out.
    source : str
        Publication, with its DOI where it has one.
    compute : callable
        Of weight (kg) and height (cm).
    """

    title: str
    text: str
    source: str
    compute: Callable[[Vector, Vector], Vector]


def _boyd(weight: Vector, height: Vector) -> Vector:
    grams = 1000.0 * weight
    return np.asarray(0.0003207 * height**0.3 * grams ** (0.7285 - 0.0188 * np.log10(grams)))


FORMULAS: Mapping[str, BodySurfaceFormula] = {
    "mosteller": BodySurfaceFormula(
        "Mosteller",
        "sqrt(H W / 3600)",
        "Mosteller 1987, N Engl J Med 317:1098, 10.1056/NEJM198710223171717",
        lambda w, h: np.asarray(np.sqrt(h * w / 3600.0)),
    ),
    "du_bois": BodySurfaceFormula(
        "Du Bois",
        "0.007184 H^0.725 W^0.425",
        "Du Bois and Du Bois 1916, Arch Intern Med 17:863",
        lambda w, h: np.asarray(0.007184 * h**0.725 * w**0.425),
    ),
    "haycock": BodySurfaceFormula(
        "Haycock",
        "0.024265 H^0.3964 W^0.5378",
        "Haycock et al. 1978, J Pediatr 93:62, 10.1016/S0022-3476(78)80601-5",
        lambda w, h: np.asarray(0.024265 * h**0.3964 * w**0.5378),
    ),
    "gehan_george": BodySurfaceFormula(
        "Gehan-George",
        "0.0235 H^0.42246 W^0.51456",
        "Gehan and George 1970, Cancer Chemother Rep 54:225",
        lambda w, h: np.asarray(0.0235 * h**0.42246 * w**0.51456),
    ),
    "boyd": BodySurfaceFormula(
        "Boyd",
        "0.0003207 H^0.3 (1000 W)^(0.7285 - 0.0188 log10(1000 W))",
        "Boyd 1935, University of Minnesota Press",
        _boyd,
    ),
}


def body_surface_area(weight: ArrayLike, height: ArrayLike, formula: str = "mosteller") -> Vector:
    """Compute body surface area.

    Parameters
    ----------
    weight : array_like
        Body weight, kg.
    height : array_like
        Height or length, cm.
    formula : str
        ``"mosteller"``, ``"du_bois"``, ``"haycock"``, ``"gehan_george"`` or ``"boyd"``.

    Returns
    -------
    ndarray
        Body surface area, m2.

    Raises
    ------
    ModelError
        The formula is not known.

    References
    ----------
    Those of `FORMULAS`.

    Examples
    --------
    >>> round(float(body_surface_area(7.8, 67.0)), 3)
    0.381
    """
    if formula not in FORMULAS:
        raise ModelError(f"no BSA formula {quoted(formula)}; {suggest(str(formula), FORMULAS)}")
    w, h = np.asarray(weight, dtype=float), np.asarray(height, dtype=float)
    return FORMULAS[formula].compute(w, h)
