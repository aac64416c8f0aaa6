"""Simulated data give back the truth that made them, and standard errors that fit the scatter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest

import pkmodel as pk
from pkmodel.dataset import read_dataset
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.result import Fit
from simulation import BOLUS, INFUSION, ORAL, Design, make_design, simulate

pytestmark = pytest.mark.slow


IV, PO = "one_compartment", "one_compartment_oral"


@dataclass(frozen=True)
class Truth:
    """A model by its true values, and the design that is simulated."""

    structure: str = IV
    design: Design = INFUSION
    typical: Mapping[str, float] = field(default_factory=lambda: {"CL": 1.0, "V": 10.0})
    omega: Mapping[str, float] = field(default_factory=lambda: {"CL": 0.09, "V": 0.04})
    covariance: float = 0.0
    sigma: Mapping[str, float] = field(default_factory=lambda: {"proportional": 0.15})
    occasion: Mapping[str, float] = field(default_factory=dict)
    distribution: Mapping[str, str] = field(default_factory=dict)
    weight: bool = False
    lloq: float = 0.0

    def data(self, seed: int, subjects: int = 300) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        weight = None
        if self.weight:  # some grow three times as fast as others
            growth = rng.uniform(0.5, 2.0, (subjects, 1)) / self.design.time[-1]
            weight = rng.uniform(0.6, 1.5, (subjects, 1)) * (1 + growth * self.design.time)
        return simulate(
            rng,
            self.design,
            self.typical,
            self.omega,
            self.sigma,
            subjects=subjects,
            covariance=self.covariance,
            occasion=self.occasion,
            distribution=self.distribution,
            weight=weight,
            lloq=self.lloq,
        )

    @property
    def values(self) -> dict[str, float]:
        """The true values by the names that a fit uses."""
        out = {f"theta {p.lower()}": v for p, v in self.typical.items()}
        out |= {f"omega {p}": v for p, v in self.omega.items()}
        if self.covariance:
            out["omega " + ",".join(list(self.omega)[:2])] = self.covariance
        out |= {f"occasion {p}": v for p, v in self.occasion.items()}
        return out | {f"sigma {name}": v for name, v in self.sigma.items()}

    def model(self, off: float = 1.5) -> Model:
        """The model that made the data, with every initial value wrong by a factor."""
        formulas = {
            p: f"{p.lower()} * WT" if self.weight and p != "KA" else p.lower() for p in self.typical
        }
        theta = tuple(self._theta(p, off) for p in self.typical)
        return Model(
            self.structure,
            formulas,
            theta,
            self._blocks(off),
            Residual(tuple(Sigma(name, v * off) for name, v in self.sigma.items())),
            dict(self.distribution),
        )

    def _theta(self, parameter: str, off: float) -> Theta:
        upper = 1.0 if self.distribution.get(parameter) == "logitnormal" else np.inf
        return Theta(parameter.lower(), self.typical[parameter] * off, 0.0, upper)

    def _blocks(self, off: float) -> tuple[OmegaBlock, ...]:
        names = list(self.omega)
        matrix = np.diag([self.omega[p] for p in names])
        blocks = tuple(OmegaBlock((p,), ((v,),), occasion=True) for p, v in self.occasion.items())
        if self.covariance:
            matrix[0, 1] = matrix[1, 0] = self.covariance
            whole = tuple(tuple(map(float, row)) for row in matrix * off)
            return (OmegaBlock(tuple(names), whole), *blocks)
        return (*(OmegaBlock((p,), ((v * off,),)) for p, v in self.omega.items()), *blocks)


SMALL_ERROR = {"proportional": 0.08}  # with 0.15 FOCE-I's own bias of ka is 1.5 standard errors
INFUSION_TRUTH = Truth(covariance=0.02)
TRUTHS = {
    "infusion": INFUSION_TRUTH,
    "bolus": Truth(design=BOLUS, covariance=-0.02),
    "combined error": Truth(sigma={"additive": 0.2, "proportional": 0.1}),
    "additive error": Truth(sigma={"additive": 0.3}),
    "lognormal error": Truth(sigma={"lognormal": 0.2}),
    "oral": Truth(
        PO,
        ORAL,
        {"CL": 1.0, "V": 10.0, "KA": 0.8},
        {"CL": 0.09, "V": 0.04, "KA": 0.16},
        covariance=0.02,
        sigma=SMALL_ERROR,
    ),
    "no effect on KA": Truth(PO, ORAL, {"CL": 1.0, "V": 10.0, "KA": 0.8}, sigma=SMALL_ERROR),
    "no effect on V": Truth(omega={"CL": 0.09}),
    "weight that changes in time": Truth(weight=True, covariance=0.02),
    "occasions": Truth(
        design=make_design([(0, 100, 2)], [1, 2.5, 5, 12, 20], occasions=3),
        occasion={"CL": 0.04},
    ),
    "normal": Truth(omega={"CL": 0.04, "V": 1.0}, distribution={"CL": "normal", "V": "normal"}),
    "logit-normal": Truth(
        PO,
        ORAL,
        {"CL": 1.0, "V": 10.0, "KA": 0.4},
        {"CL": 0.09, "V": 0.04, "KA": 0.3},
        sigma=SMALL_ERROR,
        distribution={"KA": "logitnormal"},
    ),
    "censored": Truth(lloq=0.9, covariance=0.02),
}


@cache
def fitted(name: str, method: str, seed: int) -> Fit:
    truth = TRUTHS[name]
    data = read_dataset(truth.data(seed), structure=truth.structure)
    return pk.fit(truth.model(), data, method=method)


def scores(fit: Fit, values: Mapping[str, float]) -> dict[str, float]:
    """Distance of every estimate to its truth in standard errors."""
    document = fit.to_dict()
    out = {}
    for name, value in values.items():
        kind, label = name.split(" ")
        entry = document[kind][label]
        assert entry["se"] is not None, f"no standard error for {name}: {fit.warnings}"
        out[name] = (entry["estimate"] - value) / entry["se"]
    return out


CASES = [(name, method) for name, method in product(TRUTHS, ("focei", "laplace"))]


@pytest.mark.parametrize(("name", "method"), CASES)
def test_truth_within_four_standard_errors(name, method):
    fit = fitted(name, method, 2)
    assert fit.converged, (fit.status, fit.warnings)
    far = {n: s for n, s in scores(fit, TRUTHS[name].values).items() if abs(s) > 4}
    assert not far


def assert_mean_and_scatter(name: str, method: str, seeds: range) -> None:
    """The mean score is 0 up to chance and a small bias of the method; its scatter about 1."""
    table = pd.DataFrame(
        [scores(fitted(name, method, seed), TRUTHS[name].values) for seed in seeds]
    )
    n = len(table)
    assert (table.mean().abs() < 4 / np.sqrt(n) + 0.5).all(), table.mean()
    assert (table.std() < 1 + 4 / np.sqrt(2 * n)).all(), table.std()
    assert (table.std() > max(0.15, 1 - 4 / np.sqrt(2 * n))).all(), table.std()


@pytest.mark.parametrize("name", ["infusion", "combined error", "censored"])
def test_errors_average_out(name):
    assert_mean_and_scatter(name, "focei", range(1, 13))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), CASES)
def test_errors_average_out_over_many_data_sets(name, method):
    assert_mean_and_scatter(name, method, range(1, 61))


# -- censoring --------------------------------------------------------------------------------


def test_m3_is_right_where_leaving_out_is_biased():
    """Two in five are below the limit."""
    truth = replace(INFUSION_TRUTH, lloq=4.3)
    table = truth.data(7)
    data = read_dataset(table)
    assert 0.3 < data.n_censored / data.n_observations < 0.5
    kept = table[table["CENS"] == 0].drop(columns="CENS")
    m3, left_out = (scores(pk.fit(truth.model(), d), truth.values) for d in (data, kept))
    assert max(map(abs, m3.values())) < 4
    assert max(map(abs, left_out.values())) > 5


def test_two_effects_that_become_one():
    """Half the limit in place of what is below it makes CL and V move together: Omega singular."""
    truth = replace(INFUSION_TRUTH, lloq=4.3)
    table = truth.data(7, subjects=20)
    table["DV"] = table["DV"].where(table["CENS"] == 0, 2.15)
    fit = pk.fit(truth.model(), table.drop(columns="CENS"), covariance=False)
    assert fit.objective == pytest.approx(357.2958, abs=1e-2)
    assert fit.converged
    assert any("boundary" in w for w in fit.warnings)


def test_m1_is_the_same_as_leaving_the_rows_out():
    truth = replace(INFUSION_TRUTH, lloq=4.3)
    table = truth.data(7, subjects=60)
    definition = pk.Definition("", None, truth.model(), Options(censoring="m1"), None, None)
    one = pk.fit(definition, table)
    two = pk.fit(truth.model(), table[table["CENS"] == 0].drop(columns="CENS"))
    assert one.objective == pytest.approx(two.objective, abs=1e-5)
    assert any("left out (M1)" in w for w in one.warnings)


def test_m3_with_no_row_below_the_limit_changes_nothing():
    table = INFUSION_TRUTH.data(2, subjects=40)
    one = pk.fit(INFUSION_TRUTH.model(), table)
    two = pk.fit(INFUSION_TRUTH.model(), table.assign(CENS=0))
    assert one.objective == two.objective


# -- parameters that are kept -----------------------------------------------------------------


def entry(fit: Fit, name: str) -> dict:
    kind, label = name.split(" ")
    return fit.to_dict()[kind][label]


def check_fixed(model: Model, held: Mapping[str, float]) -> None:
    """What is held stays to the bit and has no error; the rest is recovered."""
    table = INFUSION_TRUTH.data(3)
    fit, free = pk.fit(model, table), pk.fit(INFUSION_TRUTH.model(), table)
    assert fit.converged
    for name, value in held.items():
        found = entry(fit, name)
        assert found["estimate"] == value
        assert found["fixed"]
        assert found["se"] is None
    rest = {n: v for n, v in INFUSION_TRUTH.values.items() if n not in held}
    assert max(map(abs, scores(fit, rest).values())) < 4
    assert -1e-6 <= fit.objective - free.objective < 25


def test_a_fixed_theta():
    model = INFUSION_TRUTH.model()
    model = replace(model, theta=(Theta("cl", 1.0, 0.0, fixed=True), model.theta[1]))
    check_fixed(model, {"theta cl": 1.0})


def test_a_fixed_omega():
    block = OmegaBlock(("CL", "V"), ((0.09, 0.02), (0.02, 0.04)), fixed=True)
    model = replace(INFUSION_TRUTH.model(), omega=(block,))
    check_fixed(model, {"omega CL": 0.09, "omega CL,V": 0.02, "omega V": 0.04})


def test_a_fixed_sigma():
    residual = Residual((Sigma("proportional", 0.15, fixed=True),))
    model = replace(INFUSION_TRUTH.model(), residual=residual)
    check_fixed(model, {"sigma proportional": 0.15})


def test_nothing_to_estimate_is_refused():
    model = INFUSION_TRUTH.model(1.0)
    model = replace(
        model,
        theta=tuple(replace(t, fixed=True) for t in model.theta),
        omega=tuple(replace(b, fixed=True) for b in model.omega),
        residual=Residual((Sigma("proportional", 0.15, fixed=True),)),
    )
    table = INFUSION_TRUTH.data(3, subjects=5)
    with pytest.raises(pk.FitError, match="evaluate instead"):
        pk.fit(model, table)
    assert np.isfinite(pk.evaluate(model, table).objective)


def test_no_random_effect_at_all_is_refused():
    truth = Truth(omega={})
    with pytest.raises(pk.ModelError, match="at least one random effect"):
        pk.fit(truth.model(), truth.data(4, subjects=5))


# -- starts -----------------------------------------------------------------------------------


def test_scattered_starts_agree():
    fit = pk.fit(INFUSION_TRUTH.model(), INFUSION_TRUTH.data(5, subjects=100), starts=3)
    document = fit.to_dict()
    assert len(document["starts"]) == 3
    assert document["starts_agree"] == 3
    alone = pk.fit(INFUSION_TRUTH.model(), INFUSION_TRUTH.data(5, subjects=100))
    assert fit.objective == pytest.approx(alone.objective, abs=1e-4)


def moved(model: Model, theta: tuple[float, ...], omega: float, sigma: float) -> Model:
    """Multiply the initial values."""
    return replace(
        model,
        theta=tuple(replace(t, init=t.init * f) for t, f in zip(model.theta, theta, strict=True)),
        omega=tuple(
            replace(b, matrix=tuple(tuple(v * omega for v in row) for row in b.matrix))
            for b in model.omega
        ),
        residual=replace(
            model.residual,
            sigmas=tuple(replace(s, init=s.init * sigma) for s in model.residual.sigmas),
        ),
    )


WRONG = [
    (cl, v, omega, sigma)
    for cl, v, omega, sigma in product((0.1, 10), (0.1, 10), (0.1, 10), (0.1, 10))
]


@cache
def phenobarbital() -> tuple[Model, object, float]:
    definition = pk.read_definition("phenobarbital")
    data = definition.data.read(definition.model.structure)
    return definition.model, data, pk.fit(definition.model, data).objective


@cache
def infusion() -> tuple[Model, object, float]:
    model = INFUSION_TRUTH.model(1.0)
    data = read_dataset(INFUSION_TRUTH.data(6, subjects=100))
    return model, data, pk.fit(model, data).objective


@pytest.mark.parametrize("factors", WRONG, ids=str)
def test_tenfold_wrong_starts_on_phenobarbital(factors):
    model, data, best = phenobarbital()
    cl, v, omega, sigma = factors
    fit = pk.fit(moved(model, (cl, v, 1.0), omega, sigma), data, covariance=False)
    assert fit.objective == pytest.approx(best, abs=1e-3)
    assert fit.converged


@pytest.mark.parametrize("factors", WRONG, ids=str)
def test_tenfold_wrong_starts_on_infusions(factors):
    model, data, best = infusion()
    cl, v, omega, sigma = factors
    fit = pk.fit(moved(model, (cl, v), omega, sigma), data, covariance=False)
    assert fit.objective == pytest.approx(best, abs=1e-3)
    assert fit.converged
