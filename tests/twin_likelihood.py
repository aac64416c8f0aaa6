"""The objectives of a fit definition, written down as they are defined; slow, and shares nothing.

Reads the definition's TOML and the CSV by itself. First derivatives by complex steps, second ones
by central differences of those, modes by a general optimiser from several starts. Numbers are on
NONMEM's scale: -2 log L without n log(2 pi); with a lognormal residual of log DV.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import block_diag
from scipy.optimize import minimize
from scipy.special import log_ndtr

from twin import CENTRAL, DEPOT, FAST, Row, step

STEP = 1e-30  # complex step: exact to rounding
FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "where": np.where,
    "abs": np.abs,
    "min": np.minimum,
    "max": np.maximum,
    "allometry": lambda weight, b=0.75: (weight / 70) ** b,
    "bsa_power": lambda area, b, reference=1.73: (area / reference) ** b,
    "maturation_renal": lambda pma: pma**3.4 / (47.7**3.4 + pma**3.4),
    "maturation_igg": lambda age, beta, t: 1 - (1 - beta) * 0.5 ** (age / t),
}


@dataclass(frozen=True)
class Model:
    """A definition's values, by name."""

    formulas: dict[str, str]
    theta: dict[str, float]
    blocks: list[tuple[list[str], np.ndarray]]
    occasion_blocks: list[tuple[list[str], np.ndarray]]
    residual: dict[str, float]
    combine: str
    distribution: dict[str, str]
    method: str
    interaction: bool
    censoring: str
    rule: str


@dataclass(frozen=True)
class Subject:
    """One subject's records, observations and random effects."""

    label: int
    rows: list[Row]
    observed: np.ndarray  # positions of the observations among the rows
    y: np.ndarray
    censored: np.ndarray
    typical: dict[str, np.ndarray]  # per row
    effects: list[tuple[str, np.ndarray]]  # parameter, mask of the rows it acts on
    omega: np.ndarray


def value(entry) -> float:
    return float(entry["init"] if isinstance(entry, dict) else entry)


def symmetric(lower: list[list[float]]) -> np.ndarray:
    size = len(lower)
    full = np.zeros((size, size))
    for i, j in product(range(size), range(size)):
        full[i, j] = lower[max(i, j)][min(i, j)]
    return full


def read_blocks(table: dict) -> list[tuple[list[str], np.ndarray]]:
    blocks = [(b["parameters"], symmetric(b["matrix"])) for b in table.get("blocks", [])]
    singles = {k: v for k, v in table.items() if k not in ("blocks", "distribution", "occasion")}
    return [*blocks, *(([name], np.array([[value(entry)]])) for name, entry in singles.items())]


def read_model(text: str) -> tuple[Model, dict]:
    """Read a definition; return its model and its [data] table."""
    document = tomllib.loads(text)
    omega, residual = document["omega"], dict(document["residual"])
    combine = residual.pop("combine", "variance")
    fit = document.get("fit", {})
    method = fit.get("method", "focei")
    model = Model(
        formulas=document["model"]["parameters"],
        theta={name: value(entry) for name, entry in document["theta"].items()},
        blocks=read_blocks(omega),
        occasion_blocks=read_blocks(omega.get("occasion", {})),
        residual={name: value(entry) for name, entry in residual.items()},
        combine=combine,
        distribution=omega.get("distribution", {}),
        method=method,
        interaction=fit.get("interaction", method != "foce"),
        censoring=fit.get("censoring", "m3"),
        rule=document["data"].get("covariates", "nocb"),
    )
    return model, document["data"]


def read_frame(data: dict) -> pd.DataFrame:
    frame = pd.read_csv(Path(data["file"]), na_values=["."])
    frame = frame.rename(columns={theirs: ours for ours, theirs in data.get("columns", {}).items()})
    if "where" in data:
        frame = frame.query(data["where"])
    for name in ("AMT", "RATE", "II", "ADDL", "SS", "CMT", "CENS"):
        frame[name] = frame[name].fillna(0) if name in frame else 0
    return frame


def typical_values(model: Model, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Evaluate the formulas (our own text) on every row."""
    names = {**FUNCTIONS, **{c: frame[c].to_numpy() for c in frame}, **model.theta}
    return {
        parameter: np.broadcast_to(eval(formula, {"__builtins__": {}}, names), len(frame))
        for parameter, formula in model.formulas.items()
    }


def make_subject(model: Model, label: int, frame: pd.DataFrame) -> Subject:
    oral = "KA" in model.formulas
    rows = [
        Row(r.TIME, r.AMT, r.RATE, int(r.EVID), DEPOT if oral and r.CMT < 2 else CENTRAL,
            r.II, int(r.ADDL), int(r.SS))
        for r in frame.itertuples()
    ]  # fmt: skip
    seen = ((frame.EVID == 0) & (frame.MDV == 0)).to_numpy()
    censored = (frame.CENS == 1).to_numpy() & seen
    if model.censoring == "m1":
        seen = seen & ~censored
    y = frame.DV.to_numpy()[seen]
    if "lognormal" in model.residual:
        y = np.log(y)
    everywhere = np.ones(len(rows), dtype=bool)
    effects = [(name, everywhere) for names, _ in model.blocks for name in names]
    matrices = [matrix for _, matrix in model.blocks]
    for occasion in pd.unique(frame.OCC) if model.occasion_blocks else []:
        for names, matrix in model.occasion_blocks:
            effects += [(name, frame.OCC.to_numpy() == occasion) for name in names]
            matrices.append(matrix)
    return Subject(
        label,
        rows,
        np.flatnonzero(seen),
        y,
        censored[seen],
        typical_values(model, frame),
        effects,
        block_diag(*matrices),
    )


def read_subjects(model: Model, data: dict) -> list[Subject]:
    frame = read_frame(data)
    return [make_subject(model, label, rows) for label, rows in frame.groupby("ID", sort=False)]


# --- the model at random effects -----------------------------------------------------------------


def individual(model: Model, subject: Subject, name: str, eta: np.ndarray) -> np.ndarray:
    """Return one parameter [row, point] at random effects [effect, point]."""
    shift = sum(
        (
            np.outer(mask, eta[i])
            for i, (which, mask) in enumerate(subject.effects)
            if which == name
        ),
        start=np.zeros((len(subject.rows), eta.shape[1])),
    )
    typical = subject.typical[name][:, None]
    kind = model.distribution.get(name, "lognormal")
    if kind == "normal":
        return typical + shift
    if kind == "logitnormal":
        return 1 / (1 + (1 / typical - 1) * np.exp(-shift))
    return typical * np.exp(shift)


def predict(model: Model, subject: Subject, eta: np.ndarray) -> np.ndarray:
    """Return predictions [observation, point], on the scale of y."""
    cl, v, *ka = (individual(model, subject, name, eta) for name in ordered(model))
    found = step(subject.rows, cl, v, *ka, rule=model.rule, of=FAST)
    f = np.array([found[j] + 0 * cl[0] for j in subject.observed]).reshape(-1, eta.shape[1])
    return np.log(f) if "lognormal" in model.residual else f


def ordered(model: Model) -> list[str]:
    return ["CL", "V", *(["KA"] if "KA" in model.formulas else [])]


def deviation(model: Model, f: np.ndarray) -> np.ndarray:
    """Residual standard deviation at predictions."""
    sigma = model.residual
    if "lognormal" in sigma:
        return sigma["lognormal"] + 0 * f
    additive = sigma.get("additive", 0.0)
    slope = sigma.get("proportional", sigma.get("power", 0.0))
    part = slope * f ** sigma.get("exponent", 1.0)
    if model.combine == "sd":
        return additive + part
    return np.sqrt(additive**2 + part**2)


def frozen_deviation(model: Model, subject: Subject) -> np.ndarray | None:
    """Return the standard deviations at eta = 0 where there is no interaction."""
    if model.interaction:
        return None
    return deviation(model, predict(model, subject, zeros(subject)).real)


def zeros(subject: Subject) -> np.ndarray:
    return np.zeros((len(subject.effects), 1))


def joint(model: Model, subject: Subject, eta: np.ndarray, frozen=None) -> np.ndarray:
    """Return -2 log of the joint density of data and random effects [point], constants left out."""
    f = predict(model, subject, eta)
    sd = deviation(model, f) if frozen is None else frozen
    z = (subject.y[:, None] - f) / sd
    below = subject.censored[:, None]
    data = np.where(below, -2 * log_ndtr(z + 0j), 2 * np.log(sd) + z * z)
    prior = np.einsum("im,ij,jm->m", eta, np.linalg.inv(subject.omega), eta)
    return data.sum(axis=0) + prior + np.linalg.slogdet(subject.omega)[1]


def jacobian(function, eta: np.ndarray) -> np.ndarray:
    """Differentiate function([effect, point]) -> [..., point] at one point, by complex steps."""
    size = eta.size
    return function(eta.reshape(-1, 1) + 1j * STEP * np.eye(size)).imag / STEP


def hessian(function, eta: np.ndarray) -> np.ndarray:
    """Differentiate the complex-step gradient once more, by central differences of order 6."""
    h, size = 2e-3, eta.size
    total = np.zeros((size, size))
    for i in range(size):
        for weight, shift in ((3 / 4, 1), (-3 / 20, 2), (1 / 60, 3)):
            move = np.zeros(size)
            move[i] = shift * h
            total[i] += weight / h * (
                jacobian(function, eta + move) - jacobian(function, eta - move)
            )  # fmt: skip
    return (total + total.T) / 2


def find_mode(model: Model, subject: Subject, frozen=None) -> np.ndarray:
    """Return the random effects of the highest joint density, from several starts."""

    def target(eta):
        return joint(model, subject, eta, frozen)

    def descend(start):
        return minimize(
            lambda eta: np.nan_to_num(target(eta.reshape(-1, 1)).real[0], nan=np.inf),
            start,
            jac=lambda eta: jacobian(target, eta),
            method="BFGS",
            options={"gtol": 1e-6},
        )

    spread = np.sqrt(np.diag(subject.omega))
    with np.errstate(all="ignore"):  # a line search may look far out
        best = min((descend(s * spread) for s in (0.0, 0.7, -0.7)), key=lambda found: found.fun)
    eta = best.x
    for _ in range(3):
        eta = eta - np.linalg.solve(hessian(target, eta), jacobian(target, eta))
    return eta


# --- objectives ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Individual:
    """One subject's contribution to the objective, and its mode."""

    label: int
    objective: float
    eta: np.ndarray


def first_order(model: Model, subject: Subject) -> Individual:
    f = predict(model, subject, zeros(subject)).real[:, 0]
    slope = jacobian(lambda eta: predict(model, subject, eta), zeros(subject)[:, 0])
    covariance = slope @ subject.omega @ slope.T + np.diag(deviation(model, f) ** 2)
    miss = subject.y - f
    ofv = np.linalg.slogdet(covariance)[1] + miss @ np.linalg.solve(covariance, miss)
    return Individual(subject.label, float(ofv), zeros(subject)[:, 0])


def expected_curvature(model: Model, subject: Subject, eta: np.ndarray, frozen) -> np.ndarray:
    """Return H of FOCE and FOCE-I; a censored row adds its Gauss-Newton part in z."""
    f = predict(model, subject, eta.reshape(-1, 1)).real
    a = jacobian(lambda e: predict(model, subject, e), eta)
    sd = (deviation(model, f) if frozen is None else frozen)[:, 0]

    def variance(e):
        return deviation(model, predict(model, subject, e)) ** 2

    c = jacobian(variance, eta) if frozen is None else 0 * a
    h = np.linalg.inv(subject.omega)
    for j in np.flatnonzero(~subject.censored):
        h = h + np.outer(a[j], a[j]) / sd[j] ** 2 + np.outer(c[j], c[j]) / (2 * sd[j] ** 4)

    def standard(e):
        f = predict(model, subject, e)
        return (subject.y[:, None] - f) / (deviation(model, f) if frozen is None else frozen)

    z, slope = standard(eta.reshape(-1, 1)).real[:, 0], jacobian(standard, eta)
    for j in np.flatnonzero(subject.censored):
        mills = np.exp(-(z[j] ** 2) / 2 - log_ndtr(z[j])) / np.sqrt(2 * np.pi)
        h = h + mills * (mills + z[j]) * np.outer(slope[j], slope[j])
    return h


def conditional(model: Model, subject: Subject) -> Individual:
    """Return FOCE, FOCE-I or Laplace."""
    frozen = frozen_deviation(model, subject)
    eta = find_mode(model, subject, frozen)
    if model.method == "laplace":
        h = hessian(lambda e: joint(model, subject, e, frozen), eta) / 2
    else:
        h = expected_curvature(model, subject, eta, frozen)
    ofv = joint(model, subject, eta.reshape(-1, 1), frozen).real[0] + np.linalg.slogdet(h)[1]
    return Individual(subject.label, float(ofv), eta)


def exact(model: Model, subject: Subject, nodes: int = 41) -> Individual:
    """Return -2 log of the integral over the random effects, by adaptive Gauss-Hermite rules."""
    eta = find_mode(model, subject)

    def target(e):
        return joint(model, subject, e)

    scale = np.linalg.cholesky(np.linalg.inv(hessian(target, eta) / 2))
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    grid = np.array(list(product(x, repeat=eta.size))).T
    weight = np.prod(np.array(list(product(w, repeat=eta.size))), axis=1)
    points = eta[:, None] + scale @ grid
    log_density = -joint(model, subject, points).real / 2 + (grid**2).sum(axis=0) / 2
    top = log_density.max()
    integral = np.sum(weight * np.exp(log_density - top)) / np.sqrt(2 * np.pi) ** eta.size
    log_value = np.log(integral) + top + np.linalg.slogdet(scale)[1]
    return Individual(subject.label, float(-2 * log_value), eta)


METHODS = {
    "fo": first_order,
    "foce": conditional,
    "focei": conditional,
    "laplace": conditional,
    "exact": exact,
    "agq": exact,
}


def evaluate(text: str, method: str | None = None) -> list[Individual]:
    """Evaluate a definition at its initial values, subject by subject."""
    model, data = read_model(text)
    if method is not None:
        model = replace(model, method=method)
    rule = METHODS[model.method]
    return [rule(model, subject) for subject in read_subjects(model, data)]


def total(parts: list[Individual]) -> float:
    return sum(part.objective for part in parts)


def conditional_residuals(
    model: Model, subject: Subject, eta: np.ndarray, *, cholesky: bool
) -> np.ndarray:
    """Return CWRES: residuals of the FOCE linearisation, decorrelated."""
    f = predict(model, subject, eta.reshape(-1, 1)).real[:, 0]
    a = jacobian(lambda e: predict(model, subject, e), eta)
    covariance = a @ subject.omega @ a.T + np.diag(deviation(model, f) ** 2)
    miss = subject.y - (f - a @ eta)
    if cholesky:
        return np.linalg.solve(np.linalg.cholesky(covariance), miss)
    values, vectors = np.linalg.eigh(covariance)
    return vectors @ ((vectors.T @ miss) / np.sqrt(values))
