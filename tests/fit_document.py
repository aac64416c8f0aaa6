"""A made-up fit document with every key of the contract, for tests of what is printed."""

from __future__ import annotations

import copy
from typing import Any

_THETA = {
    "cl": (0.00469555, 0.000209967, 0.0043, 0.0051, 0.005),
    "v": (0.984258, 0.0268946, 0.933, 1.04, 1.0),
    "v_apgr": (0.15892, 0.0837555, 0.006, 0.337, 0.1),
}
_OMEGA = {
    "CL": (0.0293508, 0.0134156, 0.012, 0.0719, 0.1),
    "CL,V": (0.0143, 0.0051, 0.0043, 0.0243, 0.05),
    "V": (0.027906, 0.00747591, 0.0165, 0.0472, 0.1),
}
_SIGMA = {"proportional": (0.115069, 0.0099, 0.097, 0.136, 0.2)}


def _entries(values: dict[str, tuple[float, ...]]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "estimate": estimate,
            "se": se,
            "rse": 100.0 * se / estimate,
            "lower": lower,
            "upper": upper,
            "init": init,
            "fixed": False,
            "note": "",
        }
        for name, (estimate, se, lower, upper, init) in values.items()
    }


_DOCUMENT = {
    "pkmodel": "0.1.0",
    "title": "Phenobarbital in newborn infants",
    "method": "focei",
    "interaction": True,
    "structure": "one_compartment",
    "seed": 1,
    "threads": 2,
    "data_sha256": "613e",
    "data": "phenobarbital.csv",
    "covariate_rule": None,
    "units": {"time": "h", "amount": "mg", "concentration": "mg/L"},
    "distribution": {"CL": "lognormal", "V": "lognormal"},
    "status": "converged",
    "advice": "The objective cannot be lowered further near the estimates.",
    "converged": True,
    "warnings": [],
    "n_subjects": 59,
    "n_observations": 155,
    "n_censored": 0,
    "censoring": None,
    "excluded": {},
    "objective": 586.2759,
    "objective_log": None,
    "minus2ll": 871.1469,
    "aic": 885.15,
    "bic": 906.45,
    "theta": _entries(_THETA),
    "omega": _entries(_OMEGA),
    "occasion": {},
    "sigma": _entries(_SIGMA),
    "shrinkage": {"eta": {"CL": 0.43, "V": 0.12}, "epsilon": 0.27},
    "etabar": {
        "CL": {"mean": 0.0016884, "se": 0.011692, "p": 0.88518, "n": 59, "differs": False},
        "V": {"mean": -0.0011976, "se": 0.018795, "p": 0.94919, "n": 59, "differs": False},
    },
    "condition_number": 3.71,
    "covariance": "sandwich",
    "flat_directions": [],
    "boundary": [],
    "failed_subjects": [],
    "starts": [{"objective": 586.2759, "ending": "converged", "evaluations": 21}],
    "starts_agree": 1,
    "evaluations": 21,
    "gradient_norm": 1.3e-5,
    "decrease_left": 2.1e-9,
    "cold_gap": 0.0,
    "quadrature": None,
    "importance": None,
    "certificate": {
        "method": "agq",
        "nodes": 9,
        "objective": 585.91,
        "error": 4.8e-4,
        "difference": 0.3659,
        "worst_subject": "12",
        "worst_difference": 0.12,
    },
    "seconds": {"read": 0.02, "compile": 0.31, "optimise": 0.03, "covariance": 0.01, "total": 0.37},
}


def fit_document(**changes: Any) -> dict[str, Any]:
    """Return a converged fit, with some keys replaced."""
    return {**copy.deepcopy(_DOCUMENT), **changes}


def failed_document() -> dict[str, Any]:
    """Return a fit in which everything that can be reported went wrong."""
    document = fit_document(
        title="",
        method="laplace",
        interaction=False,
        status="not converged",
        advice="The search ended before the objective stopped falling.",
        converged=False,
        covariate_rule="nocb",
        units={"time": "", "amount": "", "concentration": ""},
        n_censored=18,
        censoring="m3",
        excluded={"where SD == 1": 4812},
        objective_log=-42.106,
        occasion=_entries({"CL": (0.01, 0.002, 0.007, 0.015, 0.05)}),
        covariance="s",
        condition_number=None,
        flat_directions=["+0.71 theta cl -0.70 theta v"],
        boundary=["omega V"],
        failed_subjects=[str(number) for number in range(1, 13)],
        starts=[
            {"objective": 586.28, "ending": "exhausted", "evaluations": 1000},
            {"objective": None, "ending": "undefined", "evaluations": 1001},
            {"objective": 688.6, "ending": "stalled", "evaluations": 1042},
        ],
        warnings=["omega V is at a boundary: no standard error is given for it"],
        decrease_left=12.4,
        etabar={
            "CL": {"mean": 0.0412, "se": 0.0117, "p": 0.00043, "n": 59, "differs": True},
            "V": {"mean": None, "se": None, "p": None, "n": 0, "differs": False},
        },
        shrinkage={"eta": {"CL": 0.43, "V": None}, "epsilon": None},
    )
    document["theta"]["v_apgr"]["fixed"] = True
    document["omega"]["V"].update(se=None, rse=None, lower=None, upper=None, note="at a boundary")
    return document


def evaluated_document() -> dict[str, Any]:
    """Return an evaluation at the initial values: no errors, no search."""
    document = fit_document(
        status="evaluated",
        converged=False,
        advice="Evaluated at the initial values; nothing was estimated.",
        covariance=None,
        condition_number=None,
        starts=[],
        starts_agree=0,
        evaluations=1,
        decrease_left=None,
    )
    for kind in ("theta", "omega", "sigma"):
        for entry in document[kind].values():
            entry.update(se=None, rse=None, lower=None, upper=None)
    return document
