"""A fit: what was estimated, how sure it is, and how it was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pkmodel.bayes.diagnosis import Diagnosis, diagnose, posterior_parameters
from pkmodel.bayes.posterior import Posterior
from pkmodel.bayes.prior_curves import prior_curves
from pkmodel.bayes.told_priors import marginal_priors
from pkmodel.comparability import LEVEL, Comparability, compare_groups
from pkmodel.contrast.progress import silent
from pkmodel.datatree import fit_tree
from pkmodel.definition.option_check import whole_number_fault
from pkmodel.diagnostics.conditional import conditional_draws
from pkmodel.diagnostics.etabar import EtaBar, eta_bars
from pkmodel.diagnostics.individuals import individuals_table
from pkmodel.diagnostics.parameters import KINDS, Parameter, parameters
from pkmodel.diagnostics.residuals import predictions_table
from pkmodel.diagnostics.search import iterations_table, trace_table
from pkmodel.diagnostics.shrinkage import epsilon_shrinkage, shrinkage_by_effect
from pkmodel.document import (
    certificate_part,
    covariance_part,
    data_part,
    ending_part,
    etabar_part,
    integration_part,
    model_part,
    number,
    parameters_part,
    posterior_part,
    sampling_part,
    search_part,
    shrinkage_part,
    subjects_part,
)
from pkmodel.draws.drawing import few_enough
from pkmodel.draws.draws_table import draws_table
from pkmodel.draws.fit_groups import fit_groups
from pkmodel.draws.sample import CONDITIONAL, Sample
from pkmodel.errors import FitError
from pkmodel.estimate.certificate import (
    NO_CERTIFICATE,
    Certificate,
    ExactComparison,
    certify,
    compare_with_exact,
    is_cheap,
)
from pkmodel.estimate.covariance import Covariance
from pkmodel.estimate.maximum_likelihood import Estimate
from pkmodel.exposure.model_based import exposure_table, period_table
from pkmodel.exposure.plateau_rule import DEFAULT_RULE, PlateauRule
from pkmodel.grouping import AGE_GROUP, asked_groups
from pkmodel.interrupted import interrupted_advice
from pkmodel.kernels.residual import QUANTIFIED
from pkmodel.models.model import Model, Options
from pkmodel.output_folder import replace_folder
from pkmodel.problem import Problem
from pkmodel.status import DIVERGENT_WITHOUT_VARIANCES, Status
from pkmodel.subjects import Subjects

if TYPE_CHECKING:
    import xarray

Vector = NDArray[np.float64]

MOST_SAVED = 10_000_000
"""Values in each group of fit.nc that has one for every observation and draw: 80 MB."""


@dataclass(frozen=True)
class Fit:
    """The result of a fit or an evaluation.

    Attributes
    ----------
    title : str
    problem : Problem
        The model and data that were fitted.
    subjects : Subjects
        Age group of each, body surface and weight at each record, as ``[groups]`` declares them.
    estimate : Estimate
        The best point and the way to it.
    covariance : Covariance or None
    status : Status
    warnings : tuple of str
    seconds : dict of str to float
    posterior : Posterior or None
        Draws, where the method was full Bayes; the estimates are then their means.
    """

    title: str
    problem: Problem = field(repr=False)
    subjects: Subjects = field(repr=False)
    estimate: Estimate = field(repr=False)
    covariance: Covariance | None = field(repr=False)
    status: Status
    warnings: tuple[str, ...]
    seconds: dict[str, float] = field(repr=False)
    posterior: Posterior | None = field(default=None, repr=False)

    # -- what was fitted ------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The model with its initial values."""
        return self.problem.model

    @property
    def options(self) -> Options:
        """How it was fitted."""
        return self.problem.options

    @property
    def final_model(self) -> Model:
        """The model with the estimates as its initial values."""
        return self.problem.packing.at(self.estimate.x)

    @property
    def structure(self) -> str:
        """Name of the structural model."""
        return self.model.structure

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.options.method

    @property
    def n_subjects(self) -> int:
        """Subjects."""
        return self.problem.n_subjects

    @property
    def n_observations(self) -> int:
        """Observations, censored ones included."""
        return int(self.problem.dataset.n_observations)

    @property
    def n_censored(self) -> int:
        """Censored observations."""
        return int(self.problem.dataset.n_censored)

    # -- how it ended ---------------------------------------------------------------------------

    @property
    def advice(self) -> str:
        """What the status means and what to do."""
        if self.status is Status.INTERRUPTED:
            return interrupted_advice(self.problem, self.estimate, self.posterior)
        if self.status is Status.DIVERGENT and all(block.fixed for block in self.model.omega):
            return DIVERGENT_WITHOUT_VARIANCES
        return self.status.advice

    @property
    def converged(self) -> bool:
        """Whether the estimates are an optimum."""
        return self.status.is_good

    @property
    def objective(self) -> float:
        """-2 log likelihood without n log(2 pi); of DV on its own scale."""
        return self.estimate.final.objective + float(np.sum(self.problem.own_scale))

    @property
    def objective_log(self) -> float | None:
        """With a lognormal residual: the objective of log DV, as NONMEM prints it."""
        return self.estimate.final.objective if self.problem.rows.is_log else None

    @property
    def _quantified(self) -> NDArray[np.bool_]:
        return np.asarray(self.problem.rows.status == QUANTIFIED)

    @property
    def minus2ll(self) -> float:
        """-2 log likelihood with log(2 pi) for every quantified row (none for censored ones)."""
        return self.objective + float(np.sum(self._quantified)) * float(np.log(2.0 * np.pi))

    @property
    def aic(self) -> float:
        """Akaike's criterion; NaN for draws of a posterior, which are no maximum."""
        return (
            np.nan
            if self.posterior is not None
            else self.minus2ll + 2.0 * self.problem.packing.size
        )

    @property
    def bic(self) -> float:
        """Bayes' criterion, with the number of observations that the likelihood uses.

        NaN for draws of a posterior, which are no maximum.
        """
        if self.posterior is not None:
            return np.nan
        return self.minus2ll + self.problem.packing.size * float(np.log(self.problem.n_counted))

    # -- tables ---------------------------------------------------------------------------------

    @cached_property
    def individuals(self) -> pd.DataFrame:
        """One row per subject: modes, parameters, objective, group and exposure, covariates.

        Parameters and covariates are those of the first record; CSS and CL_BSA are those of
        `exposure`, by the covariates and the size at the end of the longest infusion. Of full Bayes
        parameters are those of the modes at the mean of the unconstrained parameters, but CSS and
        CL_BSA, as all exposure, medians of draws.
        """
        exposure = self.exposure
        more = {name: exposure[name] for name in ("GROUP", "CSS", "CL_BSA") if name in exposure}
        return individuals_table(self.problem, self.estimate.x, self.estimate.final, more)

    @cached_property
    def exposure(self) -> pd.DataFrame:
        """One row per subject: Css, clearance by size, half-life, AUC; see `exposure_table`.

        Of full Bayes by the draws of the posterior, else at the modes.
        """
        return exposure_table(
            self.problem,
            self.estimate.x,
            self.estimate.final,
            self.subjects,
            self._posterior_draws(self.n_subjects),
        )

    def _posterior_draws(self, values: int) -> Sample | None:
        """Draws from the posterior of which so many values each are kept; None without any."""
        return None if self.posterior is None else few_enough(self.posterior, values)

    def drawn_exposure(self, draws: int = 1000, seed: int | None = None) -> pd.DataFrame:
        """Tabulate exposure as `exposure` does, from conditional draws instead of the modes.

        The population parameters are held at the estimates.

        Parameters
        ----------
        draws : int
            Of each subject.
        seed : int, optional
            That of the fit if absent.

        Returns
        -------
        DataFrame
            Medians, and the middle 90 % of the draws.
        """
        x, final = self.estimate.x, self.estimate.final
        drawn = conditional_draws(
            self.problem, x, final, draws, self.options.seed if seed is None else seed
        )
        sample = Sample(CONDITIONAL, np.tile(x, (1, draws, 1)), drawn.eta[None])
        return exposure_table(self.problem, x, final, self.subjects, sample)

    @property
    def exposure_by_period(self) -> pd.DataFrame:
        """One row per constant-rate period of each subject: its rate and Css."""
        return period_table(
            self.problem,
            self.estimate.x,
            self.estimate.final,
            self.subjects,
            self._posterior_draws(self.problem.dataset.row.size),
        )

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per observation, in file order."""
        return predictions_table(self.problem, self.estimate.x, self.estimate.final.terms.eta)

    @property
    def trace(self) -> pd.DataFrame:
        """Every evaluation of the search, then that of the estimates; see `trace_table`."""
        return trace_table(self.problem, self.estimate)

    @property
    def iterations(self) -> pd.DataFrame | None:
        """One row for each iteration of SAEM: start, phase and parameters; None without draws."""
        return iterations_table(self.problem, self.estimate)

    @property
    def population_draws(self) -> pd.DataFrame | None:
        """One row for each draw of full Bayes: chain, draw and parameters; None without draws."""
        if self.posterior is None or self.diagnosis is None:
            return None
        natural = self.diagnosis.natural
        return draws_table(natural, self.problem.packing.names)

    @property
    def prior_curves(self) -> pd.DataFrame | None:
        """Density of each prior about the draws of full Bayes; see `prior_curves`; None without."""
        draws = self.population_draws
        return None if draws is None else prior_curves(marginal_priors(self.model), draws)

    def summary(self) -> pd.DataFrame:
        """Tabulate the parameters.

        Returns
        -------
        DataFrame
            Indexed by ``theta <name>``, ``omega <parameter>``, ``sigma <name>``; estimate, se,
            rse (%), lower and upper (95 %, formed on the unconstrained scale), init, fixed, note.
        """
        rows = {
            f"{kind} {name}": vars(entry)
            for kind in KINDS
            for name, entry in self._parameters[kind].items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    @cached_property
    def _parameters(self) -> dict[str, dict[str, Parameter]]:
        fitted = parameters(self.problem, self.estimate.x, self.covariance)
        if self.diagnosis is None:
            return fitted
        return posterior_parameters(self.problem, self.diagnosis, fitted)

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What draws from the posterior say of themselves; None without any."""
        return None if self.posterior is None else diagnose(self.problem, self.posterior)

    def contrast(
        self,
        by: str = AGE_GROUP,
        *,
        reference: str | None = None,
        margin: Sequence[float] | None = None,
        level: float = LEVEL,
        multiplicity: str = "none",
        rule: PlateauRule = DEFAULT_RULE,
        metrics: Sequence[str] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Comparability:
        """Compare exposure and clearance between groups.

        Parameters
        ----------
        by : str
            ``"age_group"``: the groups of ``[groups]``; else a covariate with few values.
        reference : str, optional
            Group that the others are compared with; the declared one, else the last with subjects.
        margin : (low, high), optional
            Ratios that count as equivalent; the declared ones, else 0.8 to 1.25.
        level : float
            Of the intervals.
        multiplicity : str
            ``"none"`` or ``"bonferroni"``.
        rule : PlateauRule
            Of the non-compartmental analysis.
        metrics : sequence of str, optional
            Those to compare, such as ``["CSS", "CL_BSA"]``; all that the data allow if absent.
        progress : callable, optional
            Told in a line how far it has come.

        Returns
        -------
        Comparability

        Raises
        ------
        ModelError, DataError
            No groups are declared, or what is asked cannot be answered with them.

        Examples
        --------
        >>> import pkmodel as pk
        >>> found = pk.fit("blinatumomab", covariance=False).contrast("age_group")
        >>> found.reference
        '7 to 17 years'
        """
        groups = asked_groups(self.problem.dataset, self.subjects.groups, by)
        return compare_groups(
            self.problem,
            self.estimate,
            self.subjects,
            groups,
            self.exposure,
            reference=reference,
            margin=margin,
            level=level,
            multiplicity=multiplicity,
            rule=rule,
            metrics=metrics,
            doubt="" if self.converged or self.status is Status.EVALUATED else self._doubt,
            posterior=self.posterior,
            say=progress or silent,
        )

    @property
    def _doubt(self) -> str:
        what = "estimates" if self.posterior is None else "draws"
        return f"the fit ended as “{self.status}”, so that its {what} are not to be used"

    def certify(self) -> Certificate:
        """Say how far the fit is from the exact likelihood of its model.

        The exact objective, by quadrature of an order that has settled or, with more than three
        random effects, by importance sampling, is compared with the method's own at the estimates,
        and then minimised from there.

        Returns
        -------
        Certificate
            Prints as a text with a verdict; `to_frame` has how far each estimate moves.

        Raises
        ------
        FitError
            For draws of a posterior, which maximise nothing.

        References
        ----------
        Pinheiro and Bates (1995) J. Comput. Graph. Stat. 4, 12-35,
        10.1080/10618600.1995.10474663 (adaptive quadrature).

        Examples
        --------
        >>> import pkmodel as pk
        >>> certificate = pk.fit("phenobarbital", covariance=False).certify()
        >>> round(certificate.comparison.difference, 2)
        0.01
        """
        if self.posterior is not None:
            raise FitError(NO_CERTIFICATE)
        return certify(
            self.problem,
            self.estimate,
            self.covariance,
            is_estimated=self.status is not Status.EVALUATED,
        )

    @cached_property
    def _exact_comparison(self) -> ExactComparison | None:
        """Beside the exact objective, for methods that approximate it and where that is cheap."""
        if self.problem.likelihood == "agq" or not is_cheap(self.problem):
            return None
        return compare_with_exact(self.problem, self.estimate)

    @property
    def shrinkage(self) -> dict[str, Any]:
        """Shrinkage of the effects between subjects, and of the residuals, as fractions."""
        return {
            "eta": shrinkage_by_effect(
                self.problem, self.estimate.x, self.estimate.final.terms.eta
            ),
            "epsilon": epsilon_shrinkage(self.predictions["IWRES"].to_numpy()),
        }

    @cached_property
    def etabar(self) -> dict[str, EtaBar]:
        """Mean of each effect between subjects, with the P value that it is zero."""
        return eta_bars(self.problem, self.estimate.x, self.estimate.final)

    # -- documents ------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the fit as a JSON document; what a method does not give is None."""
        criteria = ("objective", "objective_log", "minus2ll", "aic", "bic")
        return {
            **model_part(self.title, self.problem),
            **subjects_part(self.subjects),
            **ending_part(self.status, self.advice, self.warnings),
            **data_part(self.problem),
            **{name: number(getattr(self, name)) for name in criteria},
            **parameters_part(self._parameters),
            **shrinkage_part(self.shrinkage),
            **etabar_part(self.etabar),
            **covariance_part(self.covariance),
            **search_part(self.problem, self.estimate),
            **integration_part(self.problem, self.estimate),
            **certificate_part(self._exact_comparison),
            **sampling_part(self.problem, self.estimate),
            "posterior": posterior_part(self.problem, self.posterior, self.diagnosis),
            "seconds": dict(self.seconds),
        }

    def to_datatree(self, draws: int | None = None, seed: int | None = None) -> xarray.DataTree:
        """Return the fit as a DataTree, on which ArviZ works as it is.

        The ``posterior`` of a maximum-likelihood fit is none, and its attributes ``kind`` and
        ``note`` say so. With standard errors (``"asymptotic"``) its population parameters are
        draws from the asymptotic normal law of their estimator on the packed scale, its random
        effects are drawn from their conditional law given each draw. Without (``"conditional"``)
        the population parameters are held at the estimates. That of full Bayes is one
        (``"posterior"``).

        Parameters
        ----------
        draws : int, optional
            Of each of four chains, 100 if absent; of each chain of a posterior, evenly spaced, all
            if absent. 0 leaves the groups of draws out.
        seed : int, optional
            That of the fit if absent.

        Returns
        -------
        xarray.DataTree
            Groups ``estimates`` (population parameters and their covariance), ``modes`` (effects
            and their conditional covariance by subject), ``predictions``, ``observed_data``; the
            JSON document stands in the root's attribute ``fit``. With draws also

            - ``posterior``: ``population`` by ``parameter``, ``eta`` by ``id`` and ``effect``, and
              each structural parameter by ``id``;
            - ``log_likelihood``: ``subject`` by ``id``, the random effects integrated out, and as
              a coordinate ``observation`` by ``obs`` (line in the file), given the effects. They
              answer different questions: ``az.loo(tree)`` leaves out a subject,
              ``az.loo(tree, var_name="observation")`` an observation of subjects that are known.
              Where the population parameters are held there is ``observation`` alone;
            - ``posterior_predictive``: simulated ``DV`` by ``obs``, with residual error; of a
              censored row the concentration itself;
            - of full Bayes ``sample_stats``, and ``prior`` and ``prior_predictive``, 500 draws,
              unless a prior is flat without bounds, of which attribute ``prior`` of the posterior
              tells.

        Raises
        ------
        FitError
            The asymptotic law reaches to where the likelihood is not defined.

        Notes
        -----
        ``az.summary`` and plots show intervals of 89 % unless told otherwise, the tables here 95 %
        (exposure 90 %): pass ``ci_prob=0.95``. Plots of every effect of every subject are many:
        name what to draw, as in ``az.plot_trace(tree, var_names=["population"])``.

        Examples
        --------
        >>> import pkmodel as pk
        >>> tree = pk.fit("phenobarbital").to_datatree(draws=5)
        >>> tree["posterior"].attrs["kind"]
        'asymptotic'
        >>> dict(tree["posterior"]["eta"].sizes)
        {'chain': 4, 'draw': 5, 'id': 59, 'effect': 2}
        """
        seed = self.options.seed if seed is None else seed
        fault = whole_number_fault(seed, 0) or (
            "" if draws is None else whole_number_fault(draws, 0)
        )
        if fault:
            raise FitError(f"to_datatree: draws and seed: {fault}")
        return self._tree(draws, seed)

    def _tree(
        self, draws: int | None, seed: int, most_values: int | None = None
    ) -> xarray.DataTree:
        """Lay out the fit, with groups of draws unless `draws` is 0; see `fit_groups`."""
        found = (self.problem, self.estimate, self.covariance)
        groups = {}
        if draws != 0:
            groups = fit_groups(*found, self.posterior, draws, seed, most_values)
        return fit_tree(*found, self.predictions, self.to_dict(), groups)

    def save(self, folder: str | Path, comparability: Comparability | None = None) -> Path:
        """Write fit.json, individuals.csv, exposure.csv, predictions.csv, trace.csv and fit.nc.

        With SAEM also iterations.csv. All or nothing. With full Bayes fit.nc is what
        `to_datatree` gives; where a value for every observation and draw would be more than ten
        million, log likelihoods and predictive draws are of evenly spaced draws, which their
        coordinate ``draw`` names.

        Parameters
        ----------
        folder : str or Path
            Made if absent. One that holds other files than a fit's is refused.
        comparability : Comparability, optional
            A comparison of groups, to be written besides.

        Returns
        -------
        Path

        Raises
        ------
        FitError
            Where the folder cannot take the files.
        """
        folder = Path(folder)

        def write(inside: Path) -> None:
            self._write(inside)
            if comparability is not None:
                comparability.write(inside)

        replace_folder(folder, write)
        return folder

    def _write(self, folder: Path) -> None:
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False)
        (folder / "fit.json").write_text(text + "\n", encoding="utf-8")
        self.individuals.to_csv(folder / "individuals.csv", index=False)
        self.exposure.to_csv(folder / "exposure.csv", index=False)
        self.predictions.to_csv(folder / "predictions.csv", index=False)
        self.trace.to_csv(folder / "trace.csv", index=False)
        if self.iterations is not None:
            self.iterations.to_csv(folder / "iterations.csv", index=False)
        draws = 0 if self.posterior is None else None  # others can be had again without a sampler
        tree = self._tree(draws, self.options.seed, MOST_SAVED)
        tree.to_netcdf(folder / "fit.nc", engine="h5netcdf")
