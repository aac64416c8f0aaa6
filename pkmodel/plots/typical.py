"""A structural parameter of the typical person along given covariates, with its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from pkmodel.contrast.margin import given_level
from pkmodel.errors import DataError, ModelError
from pkmodel.formula import bind, parse_formula
from pkmodel.formula.tape import value_and_jacobian
from pkmodel.models.structural import STRUCTURES
from pkmodel.plots.table import need_columns
from pkmodel.result import Fit
from pkmodel.suggestion import quoted, suggest

Vector = NDArray[np.float64]

PEOPLE = "people"


def typical_parameter(
    fit: Fit, parameter: str, people: pd.DataFrame, *, level: float = 0.9
) -> pd.DataFrame:
    """Compute a parameter of persons without random effects, and how sure the fit is of it.

    The interval is by the delta method from the covariance of the estimates, formed on the
    parameter's transformed scale: that of the typical value, not of persons.

    Parameters
    ----------
    fit : Fit
    parameter : str
        A structural parameter, such as ``"CL"``.
    people : DataFrame
        A row per person, with each covariate of the parameter's formula.
    level : float
        Of the interval.

    Returns
    -------
    DataFrame
        The rows of `people`, with ``<parameter>``, ``<parameter>_LOWER``, ``<parameter>_UPPER`` in
        the units of the fit, and LEVEL. The ends are NaN where the fit has no standard error of a
        theta that moves the value.

    Raises
    ------
    DataError
        `people` lacks a covariate, or values of one.
    ModelError
        There is no such parameter, or no such level.

    Examples
    --------
    >>> import pandas as pd
    >>> import pkmodel as pk
    >>> fit = pk.fit("phenobarbital")
    >>> typical_parameter(fit, "CL", pd.DataFrame({"WT": [1.0, 2.0]})).round(5)
        WT       CL  CL_LOWER  CL_UPPER  LEVEL
    0  1.0  0.00470   0.00436   0.00505    0.9
    1  2.0  0.00939   0.00872   0.01011    0.9
    """
    parameters = STRUCTURES[fit.structure].parameters
    if parameter not in parameters:
        known = suggest(parameter, parameters)
        raise ModelError(f"{fit.structure} has no parameter {quoted(parameter)}; {known}")
    level = given_level(level)
    value, slope = _value_and_slope(fit, parameter, people)
    distribution = fit.model.distribution.get(parameter, "lognormal")
    centre, stretch = transform(value, distribution)
    width = norm.ppf(0.5 + 0.5 * level) * _standard_error(fit, slope * stretch[:, None])
    table = people.copy()
    table[parameter] = value
    table[f"{parameter}_LOWER"] = back_transform(centre - width, distribution)
    table[f"{parameter}_UPPER"] = back_transform(centre + width, distribution)
    table["LEVEL"] = level
    return table


def _value_and_slope(fit: Fit, parameter: str, people: pd.DataFrame) -> tuple[Vector, Vector]:
    """Return the typical value by row, and its slopes in all thetas."""
    problem = fit.problem
    formula = parse_formula(problem.model.parameters[parameter], f"[model.parameters] {parameter}")
    names = sorted(formula.names - set(problem.theta_names))
    need_columns(people, names, PEOPLE)
    covariates = {name: people[name].to_numpy(dtype=float) for name in names}
    gaps = [name for name, values in covariates.items() if not np.all(np.isfinite(values))]
    if gaps:
        raise DataError(
            f"the table of {PEOPLE} has rows without {' and '.join(gaps)}, which the formula of "
            f"{parameter} uses; fill them in, or leave the rows out"
        )
    bound = bind(formula, problem.theta_names, covariates, len(people))
    return value_and_jacobian(bound, problem.packing.unpack(fit.estimate.x).theta)


def transform(value: Vector, distribution: str) -> tuple[Vector, Vector]:
    """Transform values of a parameter, and say how the transformation stretches there."""
    with np.errstate(all="ignore"):
        if distribution == "lognormal":
            return np.log(value), 1.0 / value
        if distribution == "logitnormal":
            return np.log(value / (1.0 - value)), 1.0 / (value * (1.0 - value))
    return value, np.ones_like(value)


def back_transform(psi: Vector, distribution: str) -> Vector:
    """Return the parameter from its transformed scale."""
    if distribution == "lognormal":
        return np.asarray(np.exp(psi))
    if distribution == "logitnormal":
        return np.asarray(1.0 / (1.0 + np.exp(-psi)))
    return psi


def _standard_error(fit: Fit, slope: Vector) -> Vector:
    """Return standard errors from slopes in all thetas; NaN where one that moves is unknown."""
    packing = fit.problem.packing
    free = slope[:, packing.theta] * packing.theta_slopes(fit.estimate.x)
    covariance = np.full((free.shape[1], free.shape[1]), np.nan)
    if fit.covariance is not None:
        covariance = fit.covariance.packed[packing.theta_part, packing.theta_part]
    is_known = np.isfinite(np.diag(covariance))
    known = free[:, is_known]
    variance = np.einsum("na,ab,nb->n", known, covariance[np.ix_(is_known, is_known)], known)
    variance[np.any(free[:, ~is_known] != 0.0, axis=1)] = np.nan
    return np.asarray(np.sqrt(variance))
