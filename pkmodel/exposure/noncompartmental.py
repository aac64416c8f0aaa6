"""Exposure without a model: Css from plateau samples, clearance, and half-life from the decline.

As clinical studies of continuous infusions compute them: Css is the mean of a subject's samples at
steady state on a constant infusion rate R0, CL = R0 / Css, the rate constant k of elimination is
that of the log-linear decline after the infusion stops, and V = CL / k.

Css and CL are means over the plateau samples, and so is the size that they are divided by: a child
that grows over a month of infusion has the mean of its body surfaces at these samples.

References
----------
Gabrielsson J, Weiner D. Non-compartmental analysis. Methods Mol Biol 2012;929:377-389,
10.1007/978-1-62703-050-2_16.

Blinatumomab, analysed so: 10.1200/jco.2013.31.15_suppl.3048.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.dataset import Dataset
from pkmodel.exposure.decline import Decline, fit_decline
from pkmodel.exposure.metric import METRICS, Subject
from pkmodel.exposure.periods import longest
from pkmodel.exposure.plateau import NO_PERIOD, Plateaus, find_plateaus
from pkmodel.exposure.plateau_rule import DEFAULT_RULE, PlateauRule
from pkmodel.exposure.remark import remark_on
from pkmodel.models.structural import ONE_COMPARTMENT, Structure

Vector = NDArray[np.float64]
Ints = NDArray[np.int64]


def sample_table(
    dataset: Dataset, rule: PlateauRule = DEFAULT_RULE, *, structure: Structure = ONE_COMPARTMENT
) -> pd.DataFrame:
    """Tell of each observation whether it is used, and why not.

    Parameters
    ----------
    dataset : Dataset
    rule : PlateauRule
    structure : Structure

    Returns
    -------
    DataFrame
        In the order of the file, a row per observation: ID, LINE (of the file), TIME, DV, CENS,
        RATE (of infusion, at the concentration's origin), ELAPSED (time since the infusion last
        started, stopped or changed its rate; NaN where it has not), PERIOD (number within the
        subject, as in `period_table`; 0 for none) and USE:

        - ``plateau``, ``decline``, ``plateau and decline`` (at the moment of the stop): used;
        - ``settling``: too soon after the start or change of the rate;
        - ``after a bolus``, ``after an oral dose``: too soon after it, or given since the stop;
        - ``below the limit``: of quantification, where it would count;
        - ``zero or negative``: has no logarithm, where it would count;
        - ``interruption``, ``after the stop``: without infusion, of a decline that is not used;
        - ``no infusion``: before the first one, or after a reset.

    Raises
    ------
    ModelError
        The rule has a unit of time and the data declare none.
    """
    plateaus = find_plateaus(dataset, rule, structure)
    samples, first = plateaus.samples, _first_periods(plateaus)
    number = plateaus.period - first[samples.subject] + 1
    return pd.DataFrame(
        {
            "ID": dataset.ids[samples.subject],
            "LINE": dataset.row[samples.row],
            "TIME": samples.time,
            "DV": dataset.dv[samples.row],
            "CENS": dataset.cens[samples.row],
            "RATE": samples.rate,
            "ELAPSED": samples.elapsed,
            "PERIOD": np.where(plateaus.period == NO_PERIOD, 0, number),
            "USE": plateaus.fates.use,
        }
    )


def period_table(
    dataset: Dataset, rule: PlateauRule = DEFAULT_RULE, *, structure: Structure = ONE_COMPARTMENT
) -> pd.DataFrame:
    """Tabulate the steady state of each constant-rate period.

    Parameters
    ----------
    dataset : Dataset
    rule : PlateauRule
    structure : Structure

    Returns
    -------
    DataFrame
        ID, PERIOD (number within the subject), START, END, R0 (amount per time), N (plateau
        samples), CSS (their arithmetic mean), CSS_GM (their geometric mean) and CL = R0 / CSS
        (L per time).

    Raises
    ------
    ModelError
        The rule has a unit of time and the data declare none.
    """
    plateaus = find_plateaus(dataset, rule, structure)
    periods = plateaus.periods
    first = _first_periods(plateaus)[periods.subject]
    return pd.DataFrame(
        {
            "ID": dataset.ids[periods.subject],
            "PERIOD": np.arange(periods.rate.size) - first + 1,
            "START": periods.start,
            "END": periods.end,
            "R0": periods.rate,
            "N": plateaus.n,
            "CSS": plateaus.css,
            "CSS_GM": plateaus.css_gm,
            "CL": plateaus.cl,
        }
    )


def noncompartmental_table(
    dataset: Dataset,
    rule: PlateauRule = DEFAULT_RULE,
    *,
    bsa: Vector | None = None,
    weight: Vector | None = None,
    structure: Structure = ONE_COMPARTMENT,
) -> pd.DataFrame:
    """Tabulate the exposure of each subject on its longest constant-rate period.

    Css is the arithmetic mean of its plateau samples (CSS_GM the geometric mean), CL = R0 / Css.
    The half-life is that of the log-linear regression of the quantified samples after a stop of
    the infusion, from the moment of the stop to the next dose, and V = CL half-life / ln 2. Where
    the drug distributes into more than one compartment, this V is that of the terminal phase, and
    samples right after the stop shorten the half-life.

    Parameters
    ----------
    dataset : Dataset
    rule : PlateauRule
    bsa : array (n_rows,), optional
        Body surface area at each record of the data, m2; NaN where unknown.
    weight : array (n_rows,), optional
        Body weight at each record, kg; NaN where unknown.
    structure : Structure

    Returns
    -------
    DataFrame
        A row per subject, in the order of `dataset.ids`: ID, N_PLATEAU, R0 (amount per time),
        R0_BSA, CSS, CSS_GM, CSS_DN, CL (L per time), CL_BSA, CL_70KG, N_DECLINE, R2 (of the
        regression), HALF_LIFE, V (L), V_BSA and NOTE. What cannot be known is NaN, and NOTE says
        why; columns per size are there where the size is given. A size is the mean of those at the
        plateau samples of the longest period; where there are none, that which holds when it ends,
        by the data set's covariate rule, and for a subject without infusions NaN.

    Raises
    ------
    ModelError
        The rule has a unit of time and the data declare none.

    Examples
    --------
    >>> import pandas as pd
    >>> from pkmodel import read_dataset
    >>> infant = pd.DataFrame({"ID": 1, "TIME": [0, 24, 48, 50, 52], "AMT": [12, 0, 0, 0, 0],
    ...                        "RATE": [0.25, 0, 0, 0, 0], "DV": [None, 700, 712, 356, 178]})
    >>> units = {"time": "h", "amount": "ug", "concentration": "pg/mL"}
    >>> data = read_dataset(infant, units=units)
    >>> table = noncompartmental_table(data, bsa=np.full(5, 0.4))
    >>> table.loc[0, ["CSS", "CL_BSA", "HALF_LIFE"]].astype(float).round(3).tolist()
    [706.0, 0.885, 2.0]
    """
    plateaus = find_plateaus(dataset, rule, structure)
    main = longest(plateaus.periods, dataset.n_subjects)
    rate, css, css_gm, cl = (
        np.append(values, np.nan)[main]
        for values in (plateaus.periods.rate, plateaus.css, plateaus.css_gm, plateaus.cl)
    )
    declines = _declines(plateaus)
    rate_constant = np.array([decline.rate_constant for decline in declines])
    size = Subject(
        scale=dataset.units.scale,
        rate=rate,
        amount=np.full(rate.size, np.nan),
        bsa=None if bsa is None else _mean_size(plateaus, bsa)[main],
        weight=None if weight is None else _mean_size(plateaus, weight)[main],
    )
    values: dict[str, object] = {
        "ID": dataset.ids,
        "N_PLATEAU": np.append(plateaus.n, 0)[main],
        "R0": rate,
        "R0_BSA": None if bsa is None else size.rate_by_size,
    }
    metrics = _metrics(size, cl, cl / rate_constant) | {
        "CSS": css,
        "HALF_LIFE": np.log(2.0) / rate_constant,
    }
    values |= {"CSS": css, "CSS_GM": css_gm}
    values |= {name: metrics[name] for name in ("CSS_DN", "CL", "CL_BSA", "CL_70KG")}
    values["N_DECLINE"] = [decline.n for decline in declines]
    values["R2"] = [decline.r2 for decline in declines]
    values |= {name: metrics[name] for name in ("HALF_LIFE", "V", "V_BSA")}
    values["NOTE"] = [
        remark_on(plateaus, i, int(main[i]), decline) for i, decline in enumerate(declines)
    ]
    return pd.DataFrame({name: value for name, value in values.items() if value is not None})


def _metrics(size: Subject, cl: Vector, v: Vector) -> dict[str, Vector | None]:
    """Every metric at the subjects' CL and V; None where the size that it needs is not given."""
    found: dict[str, Vector | None] = {}
    for name, metric in METRICS.items():
        factor = metric.factor(size)
        found[name] = None if factor is None else factor * cl**metric.cl * v**metric.v
    return found


def _mean_size(plateaus: Plateaus, size: Vector) -> Vector:
    """Return the mean size at the plateau samples of each period, and NaN for no period."""
    used = plateaus.fates.is_plateau
    period = plateaus.period[used]
    at_end = size[plateaus.periods.parameter_row]
    beyond = size[plateaus.samples.row[used]] - at_end[period]
    total = np.bincount(period, weights=beyond, minlength=at_end.size)
    return np.append(at_end + total / np.maximum(plateaus.n, 1), np.nan)


def _first_periods(plateaus: Plateaus) -> Ints:
    """First period of each subject."""
    return np.searchsorted(plateaus.periods.subject, np.arange(plateaus.dataset.n_subjects))


def _declines(plateaus: Plateaus) -> list[Decline]:
    """Regression of each subject."""
    used = plateaus.fates.is_decline
    time, value = plateaus.samples.time[used], plateaus.fates.value[used]
    subjects = np.arange(plateaus.dataset.n_subjects)
    first = np.searchsorted(plateaus.samples.subject[used], subjects)
    times, values = (np.split(array, first[1:]) for array in (time, value))
    return [fit_decline(t, c) for t, c in zip(times, values, strict=True)]
