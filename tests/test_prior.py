"""The prior density on the packed vector: against scipy, differences, and draws from it."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

import pkmodel as pk
from pkmodel.bayes.default_priors import complete
from pkmodel.bayes.diagnosis import Diagnosis
from pkmodel.bayes.family import draw, encode, middle, quantile
from pkmodel.bayes.far_priors import contradicted_priors, excluded_priors, far_priors
from pkmodel.bayes.flat_priors import improper_prior_warning, improper_priors
from pkmodel.bayes.posterior import Posterior
from pkmodel.bayes.prior import PackedPrior, draw_correlations
from pkmodel.bayes.told_priors import told_priors
from pkmodel.cli import main
from pkmodel.definition import write_definition
from pkmodel.errors import ModelError
from pkmodel.kernels.prior import log_density
from pkmodel.models.model import Model, OmegaBlock, Options, Residual, Sigma, Theta
from pkmodel.models.prior import Prior, Priors
from pkmodel.packing import Packing

BLOCK = OmegaBlock(("CL", "V", "KA"), ((0.3, 0.1, 0.05), (0.1, 0.3, 0.02), (0.05, 0.02, 0.2)))
MODEL = Model(
    structure="one_compartment_oral",
    parameters={"CL": "cl + a * q", "V": "v", "KA": "w + 5"},
    theta=(
        Theta("cl", 2.0, lower=0.0),
        Theta("v", 3.0),
        Theta("q", 0.3, lower=0.0, upper=1.0),
        Theta("w", -0.3, upper=1.0),
        Theta("a", 1.0, fixed=True),
    ),
    omega=(BLOCK, OmegaBlock(("V",), ((0.2,),), occasion=True)),
    residual=Residual((Sigma("proportional", 0.2), Sigma("additive", 0.5))),
    priors=Priors(
        theta={"v": Prior("student_t", (4.0, 1.0, 2.0))},
        omega={"V": Prior("half_t", (3.0, 0.5)), "KA": Prior("lognormal", (0.4, 0.5))},
        lkj=2.5,
    ),
)

DENSITIES = [
    (Prior("normal", (1.0, 2.0)), stats.norm(1.0, 2.0)),
    (Prior("lognormal", (2.0, 0.7)), stats.lognorm(0.7, scale=2.0)),
    (Prior("student_t", (4.0, 1.0, 2.0)), stats.t(4.0, 1.0, 2.0)),
    (Prior("half_normal", (0.6,)), stats.halfnorm(scale=0.6)),
    (Prior("half_t", (1.0, 0.6)), stats.halfcauchy(scale=0.6)),
]


@pytest.mark.parametrize(("prior", "law"), DENSITIES, ids=[p.family for p, _ in DENSITIES])
def test_families_are_those_of_scipy(prior, law):
    family, numbers, constant = encode(prior)
    for value in (0.1, 0.9, 2.5):
        found, slope = log_density(family, np.array(numbers), value)
        found += constant
        assert found == pytest.approx(law.logpdf(value), rel=1e-13)
        step = 1e-6
        numeric = (law.logpdf(value + step) - law.logpdf(value - step)) / (2 * step)
        assert slope == pytest.approx(numeric, rel=1e-7)


@pytest.mark.parametrize(("prior", "law"), DENSITIES, ids=[p.family for p, _ in DENSITIES])
def test_the_middle_of_a_family_holds_its_mass(prior, law):
    low, high = middle(prior, 0.95)
    assert law.cdf(high) - law.cdf(low) == pytest.approx(0.95, abs=1e-12)
    if prior.family.startswith("half"):
        assert low == 0.0
    else:
        assert law.cdf(low) == pytest.approx(0.025, abs=1e-12)


CUT = [
    (Prior("normal", (-8.0, 2.0)), stats.norm(-8.0, 2.0), -2.0, np.inf),
    (Prior("normal", (1.0, 2.0)), stats.norm(1.0, 2.0), -0.5, 4.0),
    (Prior("lognormal", (2.0, 0.7)), stats.lognorm(0.7, scale=2.0), 0.5, 1.2),
    (Prior("student_t", (4.0, 1.0, 2.0)), stats.t(4.0, 1.0, 2.0), 9.0, 30.0),
    (Prior("half_normal", (0.6,)), stats.halfnorm(scale=0.6), 0.0, 1.0),
]


@pytest.mark.parametrize(("prior", "law", "lower", "upper"), CUT)
def test_the_middle_of_a_prior_is_within_the_bounds_that_cut_it_off(prior, law, lower, upper):
    """By scipy's law between the bounds; all that is left out is where the density falls to."""
    low, high = middle(prior, 0.95, lower, upper)
    inside = law.cdf(upper) - law.cdf(lower)
    below, above = (
        (law.cdf(low) - law.cdf(lower)) / inside,
        (law.cdf(upper) - law.cdf(high)) / inside,
    )
    assert lower <= low < high <= upper
    falls = law.pdf(lower) > law.pdf(lower + 1e-6)
    rises = np.isfinite(upper) and law.pdf(upper) > law.pdf(upper - 1e-6)
    wanted = (0.0, 0.05) if falls else (0.05, 0.0) if rises else (0.025, 0.025)
    np.testing.assert_allclose((below, above), wanted, atol=1e-9)
    rng = np.random.default_rng(2)
    drawn = [draw(prior, rng, lower, upper) for _ in range(500)]
    found = stats.kstest(drawn, lambda v: (law.cdf(v) - law.cdf(lower)) / inside)
    assert found.pvalue > 1e-3


def test_a_prior_far_beyond_its_bounds_still_has_a_middle_and_draws():
    """90 standard deviations: the law is exponential at the bound, with rate 90."""
    prior = Prior("normal", (100.0, 1.0))
    low, high = middle(prior, 0.999, upper=10.0)
    assert low == pytest.approx(10.0 + np.log(0.001) / 90.0, abs=1e-4)
    assert high == pytest.approx(10.0)
    assert 9.0 < draw(prior, np.random.default_rng(1), upper=10.0) < 10.0


def test_no_quantile_leaves_the_bounds_by_rounding():
    for prior, lower, upper in (
        (Prior("lognormal", (2.0, 0.7)), 50.0, 60.0),
        (Prior("lognormal", (2.0, 0.7)), 3.0, 30.0),
        (Prior("normal", (1.0, 2.0)), 0.0, 0.001),
        (Prior("student_t", (4.0, 1.0, 2.0)), 0.01, 0.02),
    ):
        found = [quantile(prior, share, lower, upper) for share in (0.0, 1e-15, 1.0)]
        assert lower <= min(found) <= max(found) <= upper


FAULTY = [
    (("lognorm", (1.0, 2.0)), r"no prior 'lognorm' \(did you mean `lognormal`\?"),
    ((3, ()), "no prior 3"),
    (("normal", (1.0,)), r"normal takes \[mean, sd\], got 1 number$"),
    (("flat", (1.0,)), "flat takes no number, got 1 number$"),
    (("half_normal", 0.5), r"half_normal takes scale, such as \(1.0,\): a tuple, not 0.5"),
    (("half_t", (0.0, -1.0)), "df of half_t must be positive, not 0\nscale of half_t must be"),
    (("normal", (np.nan, 1.0)), "mean of normal must be a finite number, not nan"),
]


@pytest.mark.parametrize(("given", "message"), FAULTY)
def test_a_prior_that_is_none_is_refused_when_it_is_made(given, message):
    with pytest.raises(ModelError, match=message):
        Prior(*given)


def test_priors_of_other_members_are_refused_when_they_are_made():
    """All faults at once, each with its place; what may stand there is said."""
    with pytest.raises(ModelError) as caught:
        Priors(
            theta={"cl": 0.5, "v": Prior("half_normal", (1.0,))},
            omega={"CL": Prior("normal", (0.0, 1.0))},
            occasion=Prior("flat"),
            lkj=-1.0,
        )
    told = str(caught.value).splitlines()
    expected = (
        r"theta cl: expected a Prior, such as Prior\(.*\), got 0.5",
        r"theta v: 'half_normal' is no .* \(did you mean `normal`\? known: normal, lognormal, stud",
        r"omega CL: 'normal' is no .* known: half_normal, half_t, lognormal, flat\)",
        r"occasion: expected priors by name, such as \{'cl': Prior",
        r"lkj: expected a positive number, got -1.0",
    )
    assert len(told) == len(expected)
    for line, pattern in zip(told, expected, strict=True):
        assert re.match(pattern, line), line
    for shape in (0.0, np.nan, np.inf, "2", True):
        with pytest.raises(ModelError, match="lkj: expected a positive number"):
            Priors(lkj=shape)


@pytest.mark.parametrize("given", [3, {"theta": {"cl": Prior("normal", (0.0, 1.0))}}])
def test_a_model_takes_no_other_priors(given):
    with pytest.raises(
        ModelError, match=r"^priors: expected Priors, such as Priors\(theta=.*, got"
    ):
        replace(MODEL, priors=given)


def test_a_list_of_numbers_makes_the_same_prior():
    assert Prior("normal", [1.0, 2.0]) == Prior("normal", (1.0, 2.0))


def _naive(model: Model, x: np.ndarray) -> float:
    """Log density by scipy, the Jacobian of the packing by differences."""
    packing = Packing(model, 1)
    prior = complete(model)
    laws = {
        "cl": stats.lognorm(2.0, scale=2.0),
        "v": stats.t(4.0, 1.0, 2.0),
        "q": stats.uniform(),
        "w": stats.norm(-0.3, 5.0),
    }

    def natural(x: np.ndarray) -> np.ndarray:
        """Thetas, standard deviations, correlations and coefficients."""
        values = packing.unpack(x)
        sd = np.sqrt(np.diag(values.omega))
        correlation = (values.omega / np.outer(sd, sd))[np.tril_indices(3, -1)]
        return np.concatenate([values.theta[:4], sd, correlation, values.sigma[[1, 0]]])

    jacobian = np.array(
        [(natural(x + 1e-6 * e) - natural(x - 1e-6 * e)) / 2e-6 for e in np.eye(x.size)]
    )
    values = natural(x)
    total = sum(law.logpdf(v) for law, v in zip(laws.values(), values[:4], strict=True))
    deviations = [
        stats.halfnorm(scale=1.0),
        stats.t(3.0, scale=0.5),
        stats.lognorm(0.5, scale=0.4),
        stats.halfnorm(scale=1.0),
    ]
    total += sum(law.logpdf(v) for law, v in zip(deviations, values[4:8], strict=True))
    total += np.log(2.0)
    r = np.eye(3)
    r[np.tril_indices(3, -1)] = values[8:11]
    r = r + r.T - np.eye(3)
    assert prior.lkj is not None
    total += (prior.lkj - 1.0) * np.linalg.slogdet(r)[1] - _log_lkj_constant(prior.lkj)
    total += stats.halfnorm(scale=1.0).logpdf(values[11])
    total += stats.lognorm(2.0, scale=0.5).logpdf(values[12])
    return total + np.linalg.slogdet(jacobian)[1]


def _log_lkj_constant(lkj: float) -> float:
    """Integrate det(R)^(lkj - 1) over 3 x 3 correlation matrices by partial correlations."""
    points, weights = np.polynomial.legendre.leggauss(60)
    first = np.sum(weights * (1.0 - points**2) ** (lkj - 0.5))
    last = np.sum(weights * (1.0 - points**2) ** (lkj - 1.0))
    return float(np.log(first * first * last))


def test_the_packed_density_is_that_of_scipy_with_the_jacobian():
    """A Jacobian by differences of step 1e-6 leaves an error of some 1e-8 (worst seen 1e-8)."""
    prior = PackedPrior(Packing(MODEL, 1))
    rng = np.random.default_rng(4)
    for _ in range(5):
        x = prior.draw(rng)
        assert prior(x)[0] == pytest.approx(_naive(MODEL, x), abs=1e-6)


def test_the_gradient_is_that_of_the_density():
    prior = PackedPrior(Packing(MODEL, 1))
    rng = np.random.default_rng(5)
    for _ in range(5):
        x = prior.draw(rng)
        _, gradient = prior(x)
        steps = 1e-5 * np.eye(x.size)
        numeric = [(prior(x + e)[0] - prior(x - e)[0]) / 2e-5 for e in steps]
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6)


def test_drawn_correlations_have_the_marginal_law_of_lkj():
    """Of each correlation (r + 1) / 2 is beta with lkj - 1 + K / 2 twice, whatever its place."""
    rng = np.random.default_rng(1)
    factors = np.array([draw_correlations(3, 1.7, rng) for _ in range(20_000)])
    matrices = factors @ factors.transpose(0, 2, 1)
    np.testing.assert_allclose(np.einsum("kii->ki", matrices), 1.0, rtol=1e-12)
    shape = 1.7 - 1.0 + 1.5
    for i, j in [(1, 0), (2, 0), (2, 1)]:
        share = 0.5 * (matrices[:, i, j] + 1.0)
        assert stats.kstest(share, stats.beta(shape, shape).cdf).pvalue > 1e-3


def test_draws_have_the_priors_on_their_own_scale():
    prior = PackedPrior(Packing(MODEL, 1))
    rng = np.random.default_rng(7)
    values = [prior.packing.unpack(prior.draw(rng)) for _ in range(2000)]
    deviation = np.array([np.sqrt(np.diag(v.omega)) for v in values])
    assert stats.kstest(deviation[:, 0], stats.halfnorm().cdf).pvalue > 1e-3
    assert stats.kstest(deviation[:, 2], stats.lognorm(0.5, scale=0.4).cdf).pvalue > 1e-3
    theta = np.array([v.theta for v in values])
    assert stats.kstest(theta[:, 0], stats.lognorm(2.0, scale=2.0).cdf).pvalue > 1e-3
    assert stats.kstest(theta[:, 2], "uniform").pvalue > 1e-3
    assert np.all(theta[:, 3] < 1.0)
    assert np.all(theta[:, 4] == 1.0)


def test_what_is_out_of_range_has_no_density():
    prior = PackedPrior(Packing(MODEL, 1))
    x = prior.packing.initial()
    for extreme in (800.0, -800.0):
        x[0] = extreme
        value, gradient = prior(x)
        assert not np.isnan(value)
        assert np.all(np.isfinite(gradient))


def test_a_flat_prior_without_bounds_cannot_be_drawn_from():
    flat = Model(
        structure=MODEL.structure,
        parameters=MODEL.parameters,
        theta=MODEL.theta,
        omega=MODEL.omega,
        residual=MODEL.residual,
        priors=Priors(theta={"v": Prior("flat")}),
    )
    with pytest.raises(ValueError, match="flat prior without bounds"):
        PackedPrior(Packing(flat, 1)).draw(np.random.default_rng(1))


def test_priors_are_told_with_whether_they_are_declared():
    told = {prior.name: (prior.text, prior.is_default) for prior in told_priors(MODEL)}
    assert told["theta v"] == ("student-t(df 4, location 1, scale 2)", False)
    assert told["theta cl"] == ("lognormal(median 2, log sd 2)", True)
    assert "theta a" not in told
    assert told["sd of occasion V"] == ("half-normal(scale 1)", True)
    assert told["correlations"] == ("LKJ(2.5)", False)
    undeclared = {prior.name: prior for prior in told_priors(replace(MODEL, priors=None))}
    assert all(prior.is_default for prior in undeclared.values())
    assert undeclared["correlations"].text == "LKJ(2)"
    assert undeclared.keys() == told.keys()


def test_bounds_are_told_where_they_cut_a_prior_off():
    told = {prior.name: prior.text for prior in told_priors(MODEL)}
    assert told["theta q"] == "flat between 0 and 1"
    assert told["theta w"] == "normal(mean -0.3, sd 5) below 1"
    assert told["theta cl"] == "lognormal(median 2, log sd 2)"  # above 0, as it is anyway
    theta = (Theta("cl", 2.0, lower=0.5), *MODEL.theta[1:])
    assert told_priors(replace(MODEL, theta=theta))[0].text == f"{told['theta cl']} above 0.5"


def test_declared_priors_take_the_place_of_defaults():
    priors = complete(MODEL)
    assert str(priors.theta["v"]) == "student-t(df 4, location 1, scale 2)"
    assert str(priors.theta["cl"]) == "lognormal(median 2, log sd 2)"
    assert "a" not in priors.theta
    assert priors.occasion == {"V": Prior("half_normal", (1.0,))}
    assert priors.lkj == 2.5


@pytest.mark.parametrize("deviations", [5.0, 7.0])
def test_a_prior_beyond_its_bounds_is_refused_before_it_is_sampled(deviations, tmp_path):
    """Five deviations beyond 0 a share of 3e-7 is left and warned of, seven beyond 1e-12."""
    prior = Prior("normal", (-2.0 * deviations, 2.0))
    told = f"its bounds leave {stats.norm.sf(deviations):.1e} of"
    model = replace(MODEL, priors=Priors(theta={"cl": prior}))
    assert any(told in text for text in far_priors(model))
    faults = [str(fault) for fault in excluded_priors(model)]
    assert [told in fault for fault in faults] == [True] * (deviations > 6.0)
    if not faults:
        return
    given = pk.read_definition("phenobarbital")
    given = replace(given, model=replace(given.model, priors=model.priors), options=Options("nuts"))
    with pytest.raises(
        ModelError, match=r"\[prior\] theta cl: its bounds leave 1.3e-12 of it, normal"
    ):
        pk.fit(given)
    write_definition(given, tmp_path / "far.toml")
    for command in ("fit", "check"):
        ended = CliRunner().invoke(main, [command, str(tmp_path / "far.toml")])
        assert ended.exit_code == 2, ended.output
        assert "[prior] theta cl: its bounds leave 1.3e-12" in ended.stderr


def test_a_wide_prior_cut_to_a_narrow_interval_is_no_mistake():
    """What is left is small, and uniform."""
    theta = Theta("cl", 5e-4, lower=0.0, upper=1e-3)
    priors = replace(MODEL.priors, theta={"cl": Prior("normal", (0.0, 1e6))})
    model = replace(MODEL, theta=(theta, *MODEL.theta[1:]), priors=priors)
    assert excluded_priors(model) == []
    assert far_priors(model) == []


def test_a_share_too_small_for_a_number_is_said_to_be_small():
    model = replace(MODEL, priors=Priors(theta={"cl": Prior("normal", (-400.0, 2.0))}))
    assert "its bounds leave less than 1e-300 of" in str(excluded_priors(model)[0])


def test_priors_far_from_initial_values_are_named():
    assert far_priors(MODEL) == []
    priors = Priors(
        theta={"cl": Prior("lognormal", (40.0, 0.3)), "w": Prior("normal", (-8.0, 2.0))},
        omega={"V": Prior("half_normal", (0.1,))},
    )
    cl, w, v = far_priors(replace(MODEL, priors=priors))
    law = stats.lognorm(0.3, scale=40.0)
    low, high = law.ppf(0.0005), law.ppf(0.9995)
    assert cl.startswith(
        "theta cl: its initial value 2 is below the middle 99.9 % of its prior, "
        f"lognormal(median 40, log sd 0.3), which is {low:.3g} to {high:.3g}: "
    )
    assert "theta w: its initial value -0.3 is above the middle" in w
    assert "normal(mean -8, sd 2) below 1, which is -14.6 to -1.42" in w
    bounded = (replace(MODEL.theta[0], lower=1.0), *MODEL.theta[1:])
    beyond = Priors(theta={"cl": Prior("normal", (-40.0, 2.0))})
    inside, cl = far_priors(replace(MODEL, theta=bounded, priors=beyond))
    share = stats.norm(-40.0, 2.0).sf(1.0)
    assert inside.startswith(
        f"theta cl: its bounds leave {share:.1e} of its prior, normal(mean -40"
    )
    high = stats.truncnorm(20.5, np.inf, -40.0, 2.0).ppf(0.999)
    assert f"normal(mean -40, sd 2) above 1, which is 1 to {high:.3g}:" in cl
    assert v.startswith(f"sd of omega V: its initial value {np.sqrt(0.3):.3g} is above")


def _natural(**changes: float) -> np.ndarray:
    """Return the initial values, or those given, in the order of the packing."""
    packing = Packing(MODEL, 1)
    x = packing.initial()
    for name, value in changes.items():  # of a variance correlations stay
        x = packing.moved(x, name, value)
    return packing.natural(x)


def _contradicted(
    drawn: dict[str, float],
    alone: dict[str, float] | None = None,
    rise: float = 0.0,
    told: dict[str, float] | None = None,
) -> dict[str, str]:
    """Judge draws that scatter by a tenth about the initial values, or about those given.

    The likelihood tells the logarithm of the parameters of `told` with these standard errors, the
    others with 0.1.
    """
    names = Packing(MODEL, 1).names
    problem = SimpleNamespace(model=MODEL, packing=SimpleNamespace())
    problem.packing.names = names
    problem.packing.natural = lambda values: values
    problem.packing.moved = lambda values, label, value: np.where(
        np.array(names) == label, value, values
    )
    se = np.array([(told or {}).get(name, 0.1) for name in names])

    def evaluate(values: np.ndarray) -> SimpleNamespace:
        moved = np.log(np.abs(values / likeliest))
        return SimpleNamespace(objective=-7.0 + np.sum((moved / se) ** 2))

    problem.with_method = lambda _: SimpleNamespace(evaluate=evaluate)
    noise = np.random.default_rng(1).normal(size=(2, 200, len(problem.packing.names)))
    natural = _natural(**drawn) * (1.0 + 0.1 * noise)
    likeliest = None if alone is None else _natural(**alone)
    posterior = Posterior(natural, noise, {}, alone=likeliest, rise=rise)
    return contradicted_priors(problem, posterior, Diagnosis(natural, {}))


def test_priors_in_whose_tail_the_posterior_lies_are_named():
    """Of a theta, a variance whose prior is of the standard deviation, and a sigma."""
    assert _contradicted({}) == {}
    found = _contradicted({"theta v": 70.0, "omega KA": 0.0009, "sigma proportional": 3.5})
    assert list(found) == ["theta v", "sd of omega KA", "sigma proportional"]
    high = stats.t(4.0, 1.0, 2.0).ppf(0.9995)
    assert found["theta v"].startswith("theta v: its posterior, median 69.66 (95 % 57.42 to ")
    assert (
        "is above the middle 99.9 % of its prior, student-t(df 4, location 1, scale 2)"
        in (found["theta v"])
    )
    assert f"to {high:.3g}: data and prior contradict each other" in found["theta v"]
    low = stats.lognorm(0.5, scale=0.4).ppf(0.0005)
    assert (
        "is below the middle 99.9 % of its prior, lognormal(median 0.4, log sd 0.5), which "
        in (found["sd of omega KA"])
    )
    assert f"is {low:.3g} to" in found["sd of omega KA"]
    assert _contradicted({"sigma proportional": 3.2}) == {}


def test_a_prior_too_narrow_to_let_go_is_found_by_what_it_costs_the_likelihood():
    """By more than the 99.9 % point of chi-square with as many degrees as there are parameters."""
    chance = stats.chi2(len(_natural())).ppf(0.999)
    assert _contradicted({}, {"theta v": 70.0}, 0.99 * chance) == {}
    assert _contradicted({}, {}, 1.01 * chance) == {}
    found = _contradicted({}, {"theta v": 70.0}, 1.01 * chance)
    assert list(found) == ["theta v"]
    assert found["theta v"].startswith(
        "theta v: the data alone put it at 70, which is above the middle 99.9 % of its prior"
    )
    assert f"priors raise the objective by {1.01 * chance:.3g}: data and prior" in found["theta v"]
    both = _contradicted({"theta v": 60.0}, {"theta v": 70.0}, 1.01 * chance)
    assert "its posterior, median" in both["theta v"]


def test_of_a_parameter_that_the_data_do_not_tell_no_prior_is_said_to_be_contradicted():
    """A variance at next to zero, which could as well be elsewhere; where none can, all are."""
    alone = {"theta v": 70.0, "omega KA": 1e-6}
    vague = {"omega KA": 8.0}  # the end of its prior is 8.7 away
    assert list(_contradicted({}, alone, 60.0)) == ["theta v", "sd of omega KA"]
    assert list(_contradicted({}, alone, 60.0, vague)) == ["theta v"]
    neither = vague | {"theta v": 8.0}
    assert list(_contradicted({}, alone, 60.0, neither)) == ["theta v", "sd of omega KA"]


def test_a_moved_parameter_is_there_and_no_other_is_elsewhere():
    """Variances and with them covariances, for correlations stay; worst 2e-16, 1e-14 allowed."""
    packing = Packing(MODEL, 1)
    start = packing.initial()
    before = dict(zip(packing.names, packing.natural(start), strict=True))
    for name in before:
        if "," in name:
            continue
        value = 0.7 * before[name]
        natural = packing.natural(packing.moved(start, name, value))
        after = dict(zip(packing.names, natural, strict=True))
        assert after.pop(name) == pytest.approx(value, rel=1e-14)
        kind, _, parameter = name.partition(" ")
        for other, found in after.items():
            other_kind, _, pair = other.partition(" ")
            is_scaled = other_kind == kind and "," in pair and parameter in pair.split(",")
            wanted = before[other] * (np.sqrt(0.7) if is_scaled else 1.0)
            assert found == pytest.approx(wanted, rel=1e-14), (name, other)


def test_a_moved_covariance_is_there_and_no_other_is_elsewhere():
    """Between subjects and nowhere else; worst seen 1e-16."""
    packing = Packing(MODEL, 1)
    start = packing.initial()
    before = dict(zip(packing.names, packing.natural(start), strict=True))
    for name in (n for n in before if "," in n):
        natural = packing.natural(packing.moved(start, name, -0.04))
        wanted = before | {name: -0.04}
        np.testing.assert_allclose(natural, list(wanted.values()), rtol=1e-12, atol=1e-15)
    with pytest.raises(np.linalg.LinAlgError):
        packing.moved(start, "omega CL,V", 0.31)


def test_a_correlation_that_lkj_holds_for_next_to_impossible_is_named():
    """By its initial value, by its posterior, and by where the data alone put it."""
    narrow = replace(MODEL, priors=replace(MODEL.priors, lkj=400.0))
    (text,) = [t for t in far_priors(narrow) if "correlation of omega CL,V" in t]
    high = stats.beta(400.5, 400.5, -1.0, 2.0).ppf(0.9995)
    assert "its initial value 0.333 is above the middle 99.9 % of its prior, LKJ(400)" in text
    assert f"3 effects, which is {-high:.3g} to {high:.3g}" in text
    assert not any("correlation" in text for text in far_priors(MODEL))
    found = _contradicted({"omega CL,V": 0.2955})
    assert list(found) == ["correlation of omega CL,V"]
    assert "its posterior, median 0.97" in found["correlation of omega CL,V"]
    alone = _contradicted({}, {"omega CL,V": 0.2955}, 60.0)
    assert list(alone) == ["correlation of omega CL,V"]
    assert "the data alone put it at 0.985" in alone["correlation of omega CL,V"]
    vague = {"omega CL,V": 8.0}
    both = _contradicted({}, {"omega CL,V": 0.2955, "theta v": 70.0}, 60.0, vague)
    assert list(both) == ["theta v"]


def test_a_flat_prior_without_two_bounds_is_said_to_be_improper():
    flat = Prior("flat")
    priors = Priors(theta={"q": flat, "w": flat}, omega={"V": flat}, sigma={"additive": flat})
    model = replace(MODEL, priors=priors)
    assert improper_priors(model) == ["theta w", "sd of omega V", "sigma additive"]
    (text,) = improper_prior_warning(model)
    assert "theta w, sd of omega V, sigma additive: the posterior exists only if" in text
    assert improper_prior_warning(MODEL) == []
